"""Keys are rotated while the product runs: nothing is lost, nothing is hidden, and the old keys can go."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from payouts import actions, vault
from payouts.actions import AlteredError, KeysError, erasure, keys, rotation
from payouts.batches import check, decide, submit
from payouts.batches.seals import sealed_rows
from payouts.models import Approval, Batch, BatchState, Event, KeyMark, KeyRotation, Payout, RecipientKey
from tests import recipes
from tests.payouts.observe import audit_of, by_hand, is_clean
from tests.recipes import BATCH_ROWS, PAYOUTS, pending_payout

pytestmark = pytest.mark.django_db

NEW_SEAL = "the new key that the next seals are made by"
NEW_FIELD = Fernet.generate_key().decode()


@pytest.fixture
def rotated(settings: Any) -> Callable[[], None]:
    """Puts new keys first, as the first step of a rotation does."""

    def put_new_keys_first() -> None:
        settings.EVENT_HMAC_KEYS = [NEW_SEAL, *settings.EVENT_HMAC_KEYS]
        settings.FIELD_ENCRYPTION_KEYS = [NEW_FIELD, *settings.FIELD_ENCRYPTION_KEYS]

    return put_new_keys_first


def rotate(*arguments: str) -> str:
    out = StringIO()
    call_command("rotate_keys", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def retire(settings: Any) -> None:
    """The last step: the old keys are gone, but for history."""
    settings.EVENT_HMAC_KEYS, settings.EVENT_HMAC_KEYS_RETIRED = [NEW_SEAL], settings.EVENT_HMAC_KEYS[1:]
    settings.FIELD_ENCRYPTION_KEYS = [NEW_FIELD]


def test_everything_is_readable_and_proven_without_the_old_keys(rotated: Any, settings: Any) -> None:
    payouts = {name: make() for name, make in PAYOUTS.items()}
    history = list(Event.objects.order_by("pk").values()), list(Approval.objects.order_by("pk").values())
    versions = dict(Payout.objects.values_list("pk", "version"))
    rotated()

    told = rotate()

    retire(settings)
    keys.require_fit()
    assert f"Renewed {len(payouts)} payouts" in told
    assert is_clean()
    assert all(Payout.objects.get(pk=payout.pk).recipient_details for payout in payouts.values())
    assert (list(Event.objects.order_by("pk").values()), list(Approval.objects.order_by("pk").values())) == history
    assert dict(Payout.objects.values_list("pk", "version")) == versions


@pytest.mark.parametrize("name", PAYOUTS)
def test_a_payout_goes_on_under_the_new_keys_as_it_would_have(name: str, rotated: Any, settings: Any) -> None:
    payout = PAYOUTS[name]()
    rotated()
    rotate()
    retire(settings)

    before = Payout.objects.get(pk=payout.pk)
    if before.due_at and not before.scheduled_for:  # what is scheduled is not claimed before its time
        recipes.make_due(payout)
        assert len(actions.claim_suspect() or actions.claim(limit=10)) == 1
    else:
        assert actions.claim(limit=10) == []

    assert is_clean()


def test_an_altered_payout_is_named_and_never_sealed_anew(rotated: Any) -> None:
    altered, sound = pending_payout(), pending_payout()
    by_hand("UPDATE payouts_payout SET user_id = 9 WHERE id = %s", altered.pk)
    seal = bytes(altered.seal)
    rotated()
    out = StringIO()

    with pytest.raises(CommandError, match=f"payouts {altered.pk}; batches none"):
        call_command("rotate_keys", stdout=out, stderr=out)

    altered.refresh_from_db()
    sound.refresh_from_db()
    assert f"payout {altered.pk}: row_sealed" in out.getvalue()
    assert bytes(altered.seal) == seal
    assert "row_sealed" in audit_of(altered)
    assert vault.is_by_first_key(sound.seal)
    assert not KeyMark.objects.filter(retired_at__isnull=False).exists()


def test_old_keys_can_be_retired_without_what_does_not_fit(rotated: Any, settings: Any) -> None:
    altered = pending_payout()
    by_hand("UPDATE payouts_payout SET user_id = 9 WHERE id = %s", altered.pk)
    rotated()

    rotate("--leave-unfit")

    retire(settings)
    keys.require_fit()
    assert KeyMark.objects.filter(retired_at__isnull=False).count() == 2
    assert audit_of(Payout.objects.get(pk=altered.pk)) == {"row_sealed"}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE payouts_payout SET recipient = 'gAAAA' WHERE id = {id}",
        "UPDATE payouts_payout SET amount = amount + 1 WHERE id = {id}",
        "UPDATE payouts_payout SET event_head = 'x' WHERE id = {id}",
        "ALTER TABLE payouts_event DISABLE TRIGGER event_append_only;"
        " UPDATE payouts_event SET actor = 'user:nobody' WHERE payout_id = {id};"
        " ALTER TABLE payouts_event ENABLE TRIGGER event_append_only",
    ],
)
def test_what_is_not_proven_is_not_renewed(change: str, rotated: Any) -> None:
    payout = pending_payout()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for statement in change.format(id=payout.pk).split(";"):
        by_hand(statement)
    found = audit_of(Payout.objects.get(pk=payout.pk))
    rotated()

    with pytest.raises(CommandError, match=f"payouts {payout.pk};"):
        rotate()

    payout.refresh_from_db()
    assert not vault.is_by_first_key(payout.seal)
    assert audit_of(payout) == found


def test_a_run_that_was_broken_off_goes_on_where_it_was(rotated: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    payouts = [pending_payout() for _each in range(5)]
    rotated()
    monkeypatch.setattr(rotation, "AT_ONCE", 2)
    broken_off = rotation.begin()
    done = rotation.renew_payouts(broken_off)

    told = rotate()

    run = KeyRotation.objects.get()
    assert (broken_off.pk, done is not None and done.renewed) == (run.pk, 2)
    assert (run.payouts_renewed, run.last_payout_id) == (5, payouts[-1].pk)
    assert "Renewed 5 payouts" in told
    assert is_clean()


def test_a_second_run_finds_nothing_to_do(rotated: Any) -> None:
    pending_payout()
    recipes.submitted_batch()
    rotated()
    rotate()
    seals = list(Payout.objects.order_by("pk").values_list("seal", "recipient"))

    told = rotate()

    assert "Renewed 0 payouts and 0 batches." in told
    assert list(Payout.objects.order_by("pk").values_list("seal", "recipient")) == seals


def test_what_an_old_process_sealed_behind_the_run_is_renewed_too(rotated: Any, settings: Any) -> None:
    payout, other = pending_payout(), pending_payout()
    old = settings.EVENT_HMAC_KEYS
    rotated()
    run = rotation.begin()
    while rotation.renew_payouts(run):
        pass
    new, settings.EVENT_HMAC_KEYS = settings.EVENT_HMAC_KEYS, [*old, NEW_SEAL]
    actions.hold(payout.pk, by=recipes.person.make(), reason="The card looks odd.")
    settings.EVENT_HMAC_KEYS = new

    rotate()

    retire(settings)
    assert is_clean()
    assert Payout.objects.get(pk=other.pk).version == 1


def test_no_process_writes_with_a_key_that_is_retired(rotated: Any, settings: Any) -> None:
    pending_payout()
    old = settings.EVENT_HMAC_KEYS
    rotated()
    rotate()
    settings.EVENT_HMAC_KEYS = [*old, NEW_SEAL]

    for start in (keys.begin_writing, keys.require_fit, lambda: actions.claim(limit=1)):
        with pytest.raises(KeysError, match="retired key, see EVENT_HMAC_KEYS"):
            start()


def test_a_retired_key_forges_no_row(rotated: Any, settings: Any) -> None:
    payout = pending_payout()
    rotated()
    rotate()
    old = settings.EVENT_HMAC_KEYS[1]
    retire(settings)
    payout.refresh_from_db()
    payout.user_id = 9
    settings.EVENT_HMAC_KEYS = [old]
    forged = payout.expected_seal()
    settings.EVENT_HMAC_KEYS = [NEW_SEAL]

    by_hand("UPDATE payouts_payout SET user_id = 9, seal = %s WHERE id = %s", forged, payout.pk)

    assert "row_sealed" in audit_of(Payout.objects.get(pk=payout.pk))
    assert actions.claim(limit=10) == []


def test_a_retired_key_gives_no_voice_on_how_a_payout_ended(rotated: Any, settings: Any) -> None:
    payout = recipes.half_resolved_payout()
    rotated()
    told = rotate()
    retire(settings)

    for status in ("unknown", "failed"):
        payout = actions.resolve(
            payout.pk, by=recipes.person.make(), decision=Approval.Decision.NOT_PAID, evidence="Statement, line 7"
        )
        assert payout.status == status

    assert f"the payouts {payout.pk} ended" in told
    assert is_clean()


# Batches


@pytest.mark.parametrize("make", [recipes.checked_batch, recipes.sent_batch, recipes.rejected_batch])
def test_a_batch_is_proven_and_goes_on_under_the_new_keys(make: Callable[..., Batch], rotated: Any, settings: Any):
    batch = make(*BATCH_ROWS)
    rotated()
    told = rotate()
    retire(settings)

    batch.refresh_from_db()
    assert "1 batches" in told
    assert batch.is_sealed
    assert all(row.is_sealed for row in batch.rows.all())
    assert all((row.recipient_details if row.recipient else vault.decrypt(row.given)) for row in batch.rows.all())
    if make == recipes.sent_batch:
        decide.approve(batch.pk, by=recipes.person.make(), revision=batch.revision)
        assert submit.run(batch.pk)
        assert Payout.objects.count() == 2
        assert is_clean()


@pytest.mark.parametrize(("make", "ends"), [(recipes.stored_batch, check.run), (recipes.approved_batch, submit.run)])
def test_a_batch_that_a_task_works_on_waits(
    make: Callable[..., Batch], ends: Callable[..., bool], rotated: Any, settings: Any
) -> None:
    batch = make(*BATCH_ROWS)
    rotated()

    with pytest.raises(CommandError, match=f"the batches {batch.pk}: run this again"):
        rotate()
    assert ends(batch.pk)
    rotate()

    retire(settings)
    batch.refresh_from_db()
    assert batch.is_sealed
    assert batch.state in (BatchState.PREVIEW, BatchState.SUBMITTED)
    assert all(row.is_sealed for row in batch.rows.all())


def test_a_batch_that_was_changed_by_hand_is_named_and_never_sealed_anew(rotated: Any) -> None:
    batch = recipes.sent_batch(*BATCH_ROWS)
    by_hand("UPDATE payouts_batchrow SET user_id = 9 WHERE number = 2")
    rotated()

    with pytest.raises(CommandError, match=f"payouts none; batches {batch.pk}"):
        rotate()

    with pytest.raises(AlteredError):
        decide.approve(batch.pk, by=recipes.person.make(), revision=batch.revision)


def test_what_was_stored_before_recipients_had_keys_is_put_under_them() -> None:
    payout, batch = pending_payout(), recipes.submitted_batch()
    row = batch.rows.filter(is_valid=True).earliest("number")
    recipient = row.recipient_details
    row.recipient = vault.encrypt(recipient)
    for model, token, pk in (("payout", vault.encrypt(recipes.CARD), payout.pk), ("batchrow", row.recipient, row.pk)):
        by_hand(f"UPDATE payouts_{model} SET recipient = %s WHERE id = %s", token, pk)
    by_hand("UPDATE payouts_batchrow SET row_seal = %s WHERE id = %s", row.expected_row_seal(), row.pk)
    batch.rows_seal, _totals = sealed_rows(batch)
    by_hand("UPDATE payouts_batch SET rows_seal = %s WHERE id = %s", batch.rows_seal, batch.pk)
    by_hand("UPDATE payouts_batch SET facts_seal = %s WHERE id = %s", batch.expected_facts_seal(), batch.pk)

    told = rotate()

    assert "Renewed 1 payouts and 1 batches." in told
    payout, row = Payout.objects.get(pk=payout.pk), batch.rows.get(pk=row.pk)
    assert vault.key_named(payout.recipient)
    assert vault.key_named(row.recipient)
    assert (payout.recipient_details, row.recipient_details) == (recipes.CARD, recipient)
    assert Batch.objects.get(pk=batch.pk).is_sealed
    assert is_clean()
    assert "Renewed 0 payouts and 0 batches." in rotate()


def test_a_recipients_key_that_fits_no_key_is_named_and_left(rotated: Any, settings: Any) -> None:
    pending_payout()
    pending_payout(recipient={"card": "5555 5555 5555 4444"})
    unfit = RecipientKey.objects.latest("pk")
    by_hand("UPDATE payouts_recipientkey SET wrapped = 'gAAAA' WHERE id = %s", unfit.pk)
    rotated()
    out = StringIO()

    with pytest.raises(CommandError, match=f"keys of recipients {unfit.pk}; "):
        call_command("rotate_keys", stdout=out, stderr=out)

    unfit.refresh_from_db()
    assert f"key {unfit.pk} of a recipient" in out.getvalue()
    assert unfit.wrapped == "gAAAA"
    assert not vault.is_by_first_key(unfit.facts_seal)
    assert not KeyMark.objects.filter(retired_at__isnull=False).exists()


def test_what_was_erased_stays_so_when_keys_are_renewed(rotated: Any, settings: Any) -> None:
    payout = recipes.processed_payout()
    key = payout.recipient_key
    assert key is not None
    people = {"proposed_by": recipes.person.make(), "confirmed_by": recipes.person.make()}
    erasure.erase(key, at=timezone.now(), reason="Asked for.", **people)
    rotated()

    rotate()

    retire(settings)
    key.refresh_from_db()
    assert vault.is_by_first_key(key.facts_seal)
    assert (key.wrapped, key.is_sealed) == (None, True)
    assert is_clean()
