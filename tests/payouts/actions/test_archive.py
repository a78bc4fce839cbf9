"""What happened long ago is archived without a trace: everything is read, decided and audited as before."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from types import ModuleType
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from payouts import actions
from payouts.actions import archive as archiving
from payouts.actions.archive import archive, bring_back_by_id
from payouts.audit import anchored
from payouts.checkpoints import make
from payouts.checkpoints.document import LEAF_BYTES, Document, of_row
from payouts.models import Archived, Checkpoint, Event, Exchange, FigureSource, Payout, history_of
from payouts.providers import Verdict
from payouts.states import Status
from tests import recipes
from tests.databases import as_owner
from tests.payouts.archiving import archived, checkpoint
from tests.payouts.observe import (
    audit_of,
    by_hand,
    everything,
    is_anybody_waiting,
    is_clean,
    nothing_changes,
    unguarded,
)
from tests.recipes import (
    cancelled_payout,
    failed_payout,
    pending_payout,
    processed_payout,
    rejected_payout,
    resolved_payout,
    returned_payout,
    unknown_payout,
)
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db

RESTING: list[Callable[..., Payout]] = [
    processed_payout,
    returned_payout,
    rejected_payout,
    cancelled_payout,
    resolved_payout,
]


def shown(payout: Payout) -> list[Any]:
    history = history_of(payout)
    events = [(each.seq, each.event, each.at, each.actor, each.facts, bytes(each.mac)) for each in history.events]
    return [
        events,
        [(each.pk, each.call, each.answered_at, each.verdict, each.excerpt) for each in history.exchanges],
    ]


def checkpoints() -> list[Document]:
    return [of_row(row) for row in Checkpoint.objects.order_by("number")]


@pytest.mark.parametrize("recipe", RESTING)
def test_an_archived_payout_reads_as_before(recipe: Callable[..., Payout]) -> None:
    payout = recipe()
    before = shown(payout)

    archived()

    assert Event.objects.filter(payout=payout).count() == Exchange.objects.filter(attempt__payout=payout).count() == 0
    assert shown(payout) == before
    assert history_of(payout).archived_at
    assert is_clean()
    assert list(anchored.against(checkpoints())) == []


@pytest.mark.parametrize("recipe", [pending_payout, failed_payout, unknown_payout])
def test_what_is_open_is_not_archived(recipe: Callable[..., Payout]) -> None:
    payout = recipe()

    with nothing_changes(payout):
        assert sum(done.archived for done in archived()) == 0


def test_what_is_younger_is_not_archived() -> None:
    payout = processed_payout()
    checkpoint()

    with as_owner(), nothing_changes(payout):
        assert list(archive(payout.created_at)) == []


def test_a_history_comes_back_as_it_was() -> None:
    payout = returned_payout()
    before = everything(payout.pk)
    archived()

    assert bring_back_by_id([payout.pk]) == [payout.pk]

    assert everything(payout.pk) == before
    assert bring_back_by_id([payout.pk]) == []
    assert is_clean()
    assert list(anchored.against(checkpoints())) == []


def test_a_history_comes_back_to_tables_that_have_more_columns_by_now() -> None:
    payout = processed_payout()
    archived()
    with as_owner():
        by_hand("SET CONSTRAINTS ALL IMMEDIATE")
        for table in ("payouts_event", "payouts_exchange"):
            by_hand(f"ALTER TABLE {table} ADD COLUMN later text")

    assert bring_back_by_id([payout.pk]) == [payout.pk]

    assert is_clean()


def test_what_was_brought_back_is_archived_again() -> None:
    payout = processed_payout()
    archived()
    actions.record_return(payout.pk, by=recipes.person.make(), evidence="Statement of 15 January, line 2")
    payout.refresh_from_db()
    before = shown(payout)

    assert sum(done.archived for done in archived()) == 1

    assert shown(payout) == before
    assert is_clean()


def test_the_bank_returns_an_archived_payout() -> None:
    payout = processed_payout()
    archived()

    actions.record_return(payout.pk, by=recipes.person.make(), evidence="Statement of 15 January, line 2")

    payout.refresh_from_db()
    assert payout.status == Status.RETURNED
    assert [event.seq for event in payout.events.order_by("seq")] == list(range(1, payout.version + 1))
    assert Archived.objects.get(payout=payout).back_at
    assert is_clean()


@pytest.mark.django_db(transaction=True)
def test_an_action_that_waits_for_the_archive_brings_the_history_back() -> None:
    """It locks the row when the bundle is in and the rows are gone, and not before."""
    payout, by = processed_payout(), recipes.person.make()
    checkpoint()
    with ThreadPoolExecutor(max_workers=1) as pool:
        with as_owner():
            assert [done.archived for done in archive(timezone.now() + timedelta(seconds=1))] == [1]
            waiting = pool.submit(_returned, payout, by)
            wait_until(is_anybody_waiting, lives=lambda: not waiting.done())
        waiting.result()

    payout.refresh_from_db()
    assert payout.status == Status.RETURNED
    assert payout.events.count() == payout.version
    assert is_clean()


def _returned(payout: Payout, by: User) -> None:
    try:
        actions.record_return(payout.pk, by=by, evidence="Statement of 15 January, line 2")
    finally:
        connection.close()


def test_a_refused_action_leaves_it_archived() -> None:
    payout = processed_payout()
    archived()

    with pytest.raises(actions.NotAllowedError):
        actions.cancel(payout.pk, by=recipes.person.make(), reason="Too late")

    assert Archived.objects.get(payout=payout).back_at is None


def test_news_of_an_archived_payout_is_asked_about() -> None:
    payout = processed_payout()
    attempt = payout.attempts.get()
    archived()

    actions.hear(
        message_id="late",
        provider=attempt.provider,
        reference=attempt.reference,
        provider_id=attempt.provider_id,
        reported=Verdict.RETURNED,
    )

    payout.refresh_from_db()
    assert payout.news_at
    assert payout.due_at
    assert payout.events.count() == payout.version


def test_what_another_run_has_just_archived_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    payout = processed_payout()
    archived()
    before = shown(payout)
    monkeypatch.setattr(archiving, "Exists", lambda _query: Q(pk__in=[]))  # as a statement sees it that began before

    (done,) = archived()

    assert (done.archived, done.uncounted, done.unfit) == (0, 0, [])
    assert shown(payout) == before


def test_what_the_audit_does_not_pass_is_left_and_named() -> None:
    altered, whole = processed_payout(), processed_payout()
    checkpoint()
    by_hand("UPDATE payouts_payout SET user_id = user_id + 1 WHERE id = %s", altered.pk)

    (done,) = archived()

    assert done.archived == 1
    assert {(broken.payout_id, broken.invariant) for broken in done.unfit} == {(altered.pk, "row_sealed")}
    assert altered.events.exists()
    assert not whole.events.exists()


def test_what_no_checkpoint_has_seen_is_left() -> None:
    processed_payout()

    (done,) = archived(is_seen=False)

    assert (done.archived, done.uncounted) == (0, 1)


def test_what_the_exporter_has_not_counted_is_left() -> None:
    payout = processed_payout()
    FigureSource.objects.create(name="events", counted_to=payout.events.latest("seq").pk - 1)

    (done,) = archived()

    assert (done.archived, done.uncounted) == (0, 1)


@pytest.mark.parametrize(
    "change",
    [
        "bundle = substr(bundle, 1, length(bundle) - 1)",
        "bundle = set_byte(bundle, 40, 255 - get_byte(bundle, 40))",
        "bundle = set_byte(bundle, 0, 9)",
        "bundle = bundle || '\\x00'",
        "digest = sha256('other')",
        "paid_event = paid_event + 1",
        "archived_at = archived_at - interval '1 day'",
        "mac = sha256('other')",
        "events = events + 1",
    ],
)
def test_a_changed_bundle_is_named_and_not_brought_back(change: str) -> None:
    payout = processed_payout()
    archived()
    with unguarded("payouts_archived"):
        by_hand(f"UPDATE payouts_archived SET {change}")

    assert "archived_sealed" in audit_of(payout)
    with pytest.raises(actions.AlteredError):
        bring_back_by_id([payout.pk])


def test_a_bundle_that_was_removed_is_named() -> None:
    payout = processed_payout()
    archived()
    with unguarded("payouts_archived"):
        by_hand("DELETE FROM payouts_archived")

    assert audit_of(payout) >= {"events_gapless", "events_chained"}
    assert {broken.invariant for broken in anchored.against(checkpoints())} == {"event_missing", "totals_kept"}


def test_an_earlier_bundle_put_back_is_named() -> None:
    """It was sealed once, and is not the history of the row that there is now."""
    payout = processed_payout()
    archived()
    first = bytes(Archived.objects.get().bundle)
    actions.record_return(payout.pk, by=recipes.person.make(), evidence="Statement of 15 January, line 2")
    archived()
    with unguarded("payouts_archived"):
        by_hand("UPDATE payouts_archived SET bundle = %s", first)

    assert "archived_sealed" in audit_of(payout)


def test_checkpoints_tell_what_the_bundle_of_an_archived_payout_lacks() -> None:
    payout = processed_payout()
    checkpoint()
    actions.record_return(payout.pk, by=recipes.person.make(), evidence="Statement of 15 January, line 2")
    archived()
    documents = checkpoints()
    (leaf,) = documents[0].leaves
    other = replace(documents[0], leaves=(leaf._replace(mac="00" * LEAF_BYTES),))

    assert list(anchored.against(documents)) == []
    assert [broken.invariant for broken in anchored.since(other)] == ["event_replaced"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("module", "name"), [(anchored, "_opened"), (make, "added")])
def test_what_comes_back_while_checkpoints_are_compared_is_not_lost(
    module: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    payout = processed_payout()
    checkpoint()
    actions.record_return(payout.pk, by=recipes.person.make(), evidence="Statement of 15 January, line 2")
    archived()
    then = getattr(module, name)
    with ThreadPoolExecutor(max_workers=1) as pool:

        def meanwhile(first: Any, *others: Any, **named: Any) -> Any:
            if first != make.TOTALS:
                pool.submit(_brought_back, payout).result()
            return then(first, *others, **named)

        monkeypatch.setattr(module, name, meanwhile)
        assert list(anchored.against(checkpoints())) == []

    assert payout.events.exists()


def _brought_back(payout: Payout) -> None:
    try:
        bring_back_by_id([payout.pk])
    finally:
        connection.close()


def test_the_product_has_no_right_to_archive() -> None:
    processed_payout()
    checkpoint()

    with pytest.raises(Exception, match="permission denied"), transaction.atomic():
        list(archive(timezone.now() + timedelta(seconds=1)))


def command(*arguments: Any) -> str:
    out = StringIO()
    call_command("archive", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_the_command_archives_and_brings_back(monkeypatch: pytest.MonkeyPatch) -> None:
    aged = processed_payout()
    checkpoint()
    monkeypatch.setattr(archiving, "AT_LEAST", timedelta(days=-2))  # as if it were long ago
    with as_owner():
        assert "Archived 1 payouts" in command("--before", f"{timezone.now() + timedelta(days=1):%Y-%m-%d}")
    assert not aged.events.exists()

    assert command("--back", str(aged.pk), "999999") == f"Brought back: {aged.pk}. Not archived: 999999.\n"

    assert aged.events.exists()


def test_the_command_seals_nothing_with_keys_that_do_not_fit(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    payout = processed_payout()
    monkeypatch.setattr(archiving, "AT_LEAST", timedelta(days=-2))
    right, settings.EVENT_HMAC_KEYS = settings.EVENT_HMAC_KEYS, ["another-key-of-at-least-32-characters"]

    with as_owner(), pytest.raises(CommandError, match="EVENT_HMAC_KEYS"):
        command("--before", f"{timezone.now() + timedelta(days=1):%Y-%m-%d}")

    assert not Checkpoint.objects.exists()
    settings.EVENT_HMAC_KEYS = right
    archived()
    settings.EVENT_HMAC_KEYS = ["another-key-of-at-least-32-characters"]
    with pytest.raises(CommandError, match="EVENT_HMAC_KEYS"):
        command("--back", str(payout.pk))


def test_what_a_newer_key_sealed_waits_for_it_and_is_not_called_altered(settings: Any) -> None:
    """A webhook that is refused comes again; one for an altered payout is taken, and moves nothing."""
    payout = processed_payout()
    before = settings.EVENT_HMAC_KEYS
    settings.EVENT_HMAC_KEYS = ["another-key-of-at-least-32-characters", *before]
    archived()
    settings.EVENT_HMAC_KEYS = before

    with pytest.raises(actions.NotAllowedError, match="Keys are being changed"):
        actions.record_return(payout.pk, by=recipes.person.make(), evidence="Statement of 15 January, line 2")

    assert Archived.objects.get(payout=payout).back_at is None


def test_the_command_refuses_what_is_too_young_and_who_is_not_the_owner() -> None:
    with as_owner(), pytest.raises(CommandError, match="30 days"):
        command("--before", f"{timezone.now():%Y-%m-%d}")
    with pytest.raises(CommandError, match="owner of the tables"):
        command("--before", "2026-01-01")
