"""What a checkpoint saw and is gone is named, though the database itself contradicts nothing."""

import json
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from structlog.testing import capture_logs

from payouts import actions, clients, tasks
from payouts.actions import erasure
from payouts.audit import anchored, broken_invariants
from payouts.checkpoints import make
from payouts.checkpoints.document import Document, DocumentError, Leaf, merkle_root, of_bytes, of_row
from payouts.checkpoints.outside import keep_outside
from payouts.models import ApiKey, AuditRun, Checkpoint, Payout
from payouts.places import Folder
from tests import recipes
from tests.payouts.observe import audit_of, by_hand, is_clean, queued, unguarded
from tests.recipes import awaiting_payout, pending_payout, processed_payout, returned_payout

pytestmark = pytest.mark.django_db

ROWS_OF = {
    "payouts_exchange": "attempt_id IN (SELECT reference FROM payouts_attempt WHERE payout_id = %s)",
    "payouts_approval": "payout_id = %s",
    "payouts_attempt": "payout_id = %s",
    "payouts_event": "payout_id = %s",
    "payouts_payout": "id = %s",
}


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every event were older than any transaction."""
    monkeypatch.setattr(make, "SETTLED_AFTER", timedelta(0))


def made() -> Document:
    checkpoint = make.make()
    assert checkpoint is not None
    return of_row(checkpoint)


def delete(payout: Payout) -> None:
    """The payout and its history, as the tables' owner can."""
    for table, condition in ROWS_OF.items():
        with unguarded(table):
            by_hand(f"DELETE FROM {table} WHERE {condition}", payout.pk)


def put_back(payout: Payout, seq: int, row: dict[str, Any]) -> None:
    """The row as it was at that event, and the history after it away."""
    with unguarded("payouts_event"):
        by_hand("DELETE FROM payouts_event WHERE payout_id = %s AND seq > %s", payout.pk, seq)
    Payout.objects.filter(pk=payout.pk).update(**row)


def found_of(payout_id: int) -> set[str]:
    return {broken.invariant for broken in broken_invariants() if broken.payout_id == payout_id}


def test_a_payout_that_was_deleted_with_its_history_is_named(settled: None) -> None:
    gone, _left = processed_payout(), processed_payout()
    made()

    delete(gone)

    assert not Payout.objects.filter(pk=gone.pk).exists()
    assert found_of(gone.pk) == {"payout_missing"}
    assert audit_of(None) == {"totals_kept"}


def test_an_old_row_put_back_without_its_later_events_is_named() -> None:
    payout = awaiting_payout()
    before = Payout.objects.filter(pk=payout.pk).values().get()
    actions.reject(payout.pk, by=recipes.person.make(), reason="Not ours.")
    made()

    put_back(payout, 1, before)

    assert found_of(payout.pk) == {"event_missing"}


def test_an_old_row_put_back_and_moved_on_is_named() -> None:
    payout = awaiting_payout()
    before = Payout.objects.filter(pk=payout.pk).values().get()
    actions.hold(payout.pk, by=recipes.person.make(), reason="Odd.")
    made()
    put_back(payout, 1, before)

    actions.hold(payout.pk, by=recipes.person.make(), reason="Odd again.")

    assert found_of(payout.pk) == {"event_replaced"}


def test_what_honest_work_does_after_a_checkpoint_is_clean() -> None:
    payout = pending_payout()
    made()

    recipes.answered(payout, recipes.SUCCEEDED)
    made()
    returned_payout()

    assert is_clean()


def test_totals_add_up_what_was_submitted_paid_and_returned(settled: None) -> None:
    pending_payout()
    made()
    processed_payout()
    returned_payout()

    totals = made().totals

    assert totals == {"RUB": {"submitted": [3, "301.50"], "paid": [2, "201.00"], "returned": [1, "100.50"]}}
    assert is_clean()


def test_events_of_the_last_minutes_are_gone_over_again() -> None:
    payout = pending_payout()
    made()

    second = made()

    assert second.totals == {}
    assert [leaf.payout_id for leaf in second.leaves] == [payout.pk]


def test_a_large_database_takes_several_checkpoints(settled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    payouts = [pending_payout() for _each in range(5)]
    monkeypatch.setattr(make, "AT_ONCE", 2)

    checkpoints = make.make_due()

    assert checkpoints[-1].to_event == payouts[-1].events.latest("seq").pk
    seen = {leaf.payout_id for checkpoint in checkpoints for leaf in of_row(checkpoint).leaves}
    assert seen == {payout.pk for payout in payouts}
    assert is_clean()


@pytest.mark.parametrize(
    ("change", "invariants"),
    [
        ("totals = '{}'", {"checkpoint_signed"}),
        ("versions = '{}'", {"checkpoint_signed"}),
        ("leaves = 'x'", {"checkpoint_signed"}),
        ("previous_root = root", {"checkpoint_signed", "checkpoint_chained"}),
        ("number = 7", {"checkpoint_signed", "checkpoint_chained"}),
        ("settled_event = settled_event + 1", {"checkpoint_signed"}),
        ("made_at = made_at - interval '1 day'", {"checkpoint_signed"}),
    ],
)
def test_a_checkpoint_changed_by_sql_is_named(settled: None, change: str, invariants: set[str]) -> None:
    pending_payout()
    made()
    made()

    by_hand(f"UPDATE payouts_checkpoint SET {change} WHERE number = 2")

    assert audit_of(None) == invariants


def test_a_checkpoint_deleted_in_the_middle_is_named() -> None:
    pending_payout()
    for _each in range(3):
        made()

    with unguarded("payouts_checkpoint"):
        by_hand("DELETE FROM payouts_checkpoint WHERE number = 2")

    assert audit_of(None) == {"checkpoint_chained"}


def test_a_person_whose_old_row_and_seal_were_put_back_is_named() -> None:
    person = recipes.superuser.make(username="ivan")
    sealed = "kind = 'person' AND object_id = %s"
    by_hand(f"CREATE TEMP TABLE old AS SELECT version, seal FROM payouts_authorityseal WHERE {sealed}", person.pk)
    person.is_superuser = False
    person.save()
    made()

    by_hand("UPDATE auth_user SET is_superuser = true WHERE id = %s", person.pk)
    by_hand(
        f"UPDATE payouts_authorityseal s SET version = old.version, seal = old.seal FROM old WHERE {sealed}",
        person.pk,
    )

    assert audit_of(None) == {"seal_put_back"}
    by_hand("UPDATE auth_user SET is_superuser = false WHERE id = %s", person.pk)
    call_command("seal_people", "ivan", "--yes", stdout=StringIO())
    assert is_clean()


def test_a_key_that_was_revoked_and_put_back_with_its_seal_is_named() -> None:
    clients.create_key(recipes.client.make(), scopes=["payouts:write"])
    key = ApiKey.objects.get()
    before = ApiKey.objects.filter(pk=key.pk).values().get()
    clients.revoke_key(key.pk)
    made()

    by_hand(
        "UPDATE payouts_apikey SET revoked_at = NULL, secret_hash = %s, facts_seal = %s WHERE id = %s",
        before["secret_hash"],
        before["facts_seal"],
        key.pk,
    )

    assert audit_of(None) == {"seal_put_back"}


def test_the_root_holds_every_leaf_in_its_order() -> None:
    leaves = tuple(Leaf(number, 1, f"{number:040x}") for number in range(7))

    roots = {merkle_root(leaves[:count]) for count in range(8)}

    assert len(roots) == 8
    for place in range(7):
        changed = (*leaves[:place], leaves[place]._replace(seq=2), *leaves[place + 1 :])
        assert merkle_root(changed) not in roots
    assert merkle_root(leaves[::-1]) not in roots


def test_a_checkpoint_is_verified_under_a_retired_key(settings: Any) -> None:
    pending_payout()
    made()
    old = list(settings.EVENT_HMAC_KEYS)
    settings.EVENT_HMAC_KEYS = ["another key that is long enough to sign with"]
    assert not of_row(Checkpoint.objects.get()).is_signed

    settings.EVENT_HMAC_KEYS_RETIRED = old

    assert of_row(Checkpoint.objects.get()).is_signed


# Outside


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Folder:
    settings.CHECKPOINTS = str(tmp_path / "anchors")
    return Folder(tmp_path / "anchors")


def test_checkpoints_are_written_to_the_folder_once(folder: Folder) -> None:
    pending_payout()
    documents = [made(), made()]

    assert keep_outside() == 2
    assert keep_outside() == 0

    assert [of_bytes(folder.read(name)) for name in folder.names()] == documents


def test_the_audit_against_a_file_names_what_is_gone_with_its_checkpoint(settled: None, folder: Folder) -> None:
    gone = processed_payout()
    made()
    keep_outside()
    delete(gone)
    with unguarded("payouts_checkpoint"):
        by_hand("DELETE FROM payouts_checkpoint")
    assert is_clean()

    out = StringIO()
    with pytest.raises(CommandError) as error:
        call_command("audit", "--json", "--against", str(folder.path / folder.names()[0]), stdout=out)

    assert error.value.returncode == 1
    assert {(each["payout_id"], each["invariant"]) for each in json.loads(out.getvalue())["broken"]} == {
        (gone.pk, "payout_missing"),
        (None, "checkpoint_kept"),
        (None, "totals_kept"),
    }


def test_the_audit_against_a_folder_holds_its_checkpoints_to_each_other(folder: Folder) -> None:
    pending_payout()
    for _each in range(3):
        made()
    keep_outside()
    out = StringIO()
    call_command("audit", "--against", str(folder.path), stdout=out)
    assert "Every invariant holds" in out.getvalue()

    (folder.path / folder.names()[1]).unlink()

    with pytest.raises(CommandError, match="1 invariants are broken"):
        call_command("audit", "--against", str(folder.path), stdout=out)
    assert "checkpoint 3 does not follow" in out.getvalue()


def test_the_audit_against_a_folder_leaves_out_what_a_database_that_was_put_back_cannot_know(folder: Folder) -> None:
    pending_payout()
    made()
    forgotten = pending_payout()
    made()
    keep_outside()
    delete(forgotten)
    with unguarded("payouts_checkpoint"):
        by_hand("DELETE FROM payouts_checkpoint WHERE number = 2")

    out = StringIO()
    call_command("audit", "--against", str(folder.path), "--up-to", "1", stdout=out)

    assert "Every invariant holds" in out.getvalue()
    with pytest.raises(CommandError):
        call_command("audit", "--against", str(folder.path), stdout=StringIO())


@pytest.mark.parametrize(
    "change",
    [
        {"leaves": ()},
        {"root": "00" * 32},
        {"signature": "00" * 36},
        {"signature": "no"},
        {"totals": {"RUB": {}}},
        {"made_at": "2020-01-01T00:00:00+00:00"},
    ],
)
def test_a_file_that_somebody_changed_is_not_believed(change: dict[str, Any]) -> None:
    pending_payout()
    document = made()
    assert list(anchored.against([document])) == []

    found = {broken.invariant for broken in anchored.against([replace(document, **change)])}

    assert "checkpoint_signed" in found


def test_another_databases_checkpoint_says_nothing_of_ours() -> None:
    pending_payout()

    found = anchored.against([replace(made(), namespace="another")])

    assert [broken.invariant for broken in found] == ["checkpoint_ours"]


@pytest.mark.parametrize(
    "content", [b"", b"junk", b"{}", b"[]", b"\x1f\x8bjunk", b'{"format":2}', b'{"format":1}', b"\xff"]
)
def test_what_is_no_checkpoint_ends_the_audit_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "checkpoint.json"
    file.write_bytes(content)

    with pytest.raises(DocumentError):
        of_bytes(content)
    with pytest.raises(CommandError) as error:
        call_command("audit", "--against", str(file), stdout=StringIO())

    assert error.value.returncode == 2


def test_a_folder_without_checkpoints_ends_the_audit_with_a_sentence(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "not there"):
        with pytest.raises(CommandError) as error:
            call_command("audit", "--against", str(place), stdout=StringIO())

        assert error.value.returncode == 2


def test_the_command_makes_one_and_says_what_is_in_it(settled: None, folder: Folder) -> None:
    processed_payout()
    out = StringIO()

    call_command("checkpoint", stdout=out)

    checkpoint = Checkpoint.objects.get()
    assert f"Checkpoint 1: {checkpoint.root}" in out.getvalue()
    assert "paid: 1 payouts, 100.50 RUB" in out.getvalue()
    assert checkpoint.placed_at is not None


def test_the_log_has_the_root_the_totals_and_the_signature() -> None:
    pending_payout()

    with capture_logs() as lines:
        tasks.checkpoint()

    (line,) = [line for line in lines if line["event"] == "checkpoint"]
    checkpoint = Checkpoint.objects.get()
    assert (line["number"], line["root"], line["totals"]) == (1, checkpoint.root, {})
    assert line["signature"] == bytes(checkpoint.signature).hex()


def test_what_could_not_be_written_outside_is_written_with_the_next(tmp_path: Path, settings: Any) -> None:
    (tmp_path / "file").write_text("in the way")
    settings.CHECKPOINTS = str(tmp_path / "file" / "folder")
    with capture_logs() as lines:
        tasks.checkpoint()
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["checkpoints_unreachable"]

    settings.CHECKPOINTS = str(tmp_path / "folder")
    tasks.checkpoint()

    assert len(Folder(tmp_path / "folder").names()) == 2


def test_the_nightly_audit_compares_with_what_is_outside(folder: Folder) -> None:
    pending_payout()
    for _each in range(2):
        tasks.checkpoint()
    (folder.path / folder.names()[0]).unlink()
    with unguarded("payouts_checkpoint"):
        by_hand("DELETE FROM payouts_checkpoint WHERE number = 2")

    tasks.audit()

    run = AuditRun.objects.get()
    assert run.finished_at is not None
    assert {finding["invariant"] for finding in run.findings} == {"checkpoint_outside", "checkpoint_kept"}


def test_the_nightly_audit_names_an_erasure_that_the_list_outside_lacks(folder: Folder) -> None:
    payout, other = processed_payout(), processed_payout(recipient={"card": "5555 5555 5555 4444"})
    for each in (payout, other):
        assert each.recipient_key is not None
        erasure.erase(
            each.recipient_key, at=timezone.now(), proposed_by=None, confirmed_by=None, on_server="test", reason="x"
        )
    by_hand("UPDATE payouts_recipientkey SET listed_at = now() WHERE id = %s", payout.recipient_key.pk)
    tasks.checkpoint()

    tasks.audit()

    (finding,) = AuditRun.objects.get().findings
    assert finding["invariant"] == "erasure_outside"
    assert str(payout.recipient_key.pk) in finding["detail"]
    call_command("checkpoint", "--all", stdout=StringIO())
    assert list(anchored.kept_outside()) == []


def test_another_place_gets_all_that_the_first_one_has(folder: Folder, settings: Any, tmp_path: Path) -> None:
    pending_payout()
    tasks.checkpoint()
    settings.CHECKPOINTS = str(tmp_path / "another")
    tasks.checkpoint()
    assert {broken.invariant for broken in anchored.kept_outside()} == {"checkpoint_outside"}

    call_command("checkpoint", "--all", stdout=StringIO())

    assert list(anchored.kept_outside()) == []
    assert len(Folder(tmp_path / "another").names()) == Checkpoint.objects.count()


def test_the_nightly_audit_goes_on_behind_a_checkpoint(settings: Any) -> None:
    settings.Q_TIMEOUT_SECONDS = -1
    for _each in range(2):
        made()

    tasks.audit()
    run = AuditRun.objects.get()
    tasks.audit_checkpoints(1, run.pk)
    tasks.audit_checkpoints(2, run.pk)

    assert queued("payouts.tasks.audit_checkpoints") == [(1, run.pk), (2, run.pk)]
    run.refresh_from_db()
    assert run.finished_at is not None
    assert run.broken_count == 0
