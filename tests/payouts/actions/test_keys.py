"""A process whose keys do not fit the database touches nothing: the fault is ours, and no payout's."""

from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from payouts import actions, tasks
from payouts.actions import KeysError, NotAllowedError, keys
from payouts.models import Attention, Batch, KeyMark, Payout
from tests import recipes
from tests.databases import as_owner
from tests.payouts.observe import by_hand, nothing_changes
from tests.recipes import SUCCEEDED, awaiting_payout, make_due, pending_payout, processing_payout

pytestmark = pytest.mark.django_db

OTHER = "another key, which is long enough to pass"
NEW_FIELD_KEY = Fernet.generate_key().decode()
WRONG: dict[str, Any] = {
    "EVENT_HMAC_KEYS": [OTHER],
    "FIELD_ENCRYPTION_KEYS": [NEW_FIELD_KEY],
    "INDEX_KEY": OTHER,
}


@pytest.mark.parametrize("name", WRONG)
def test_a_worker_with_a_wrong_key_claims_nothing_and_marks_nothing(name: str, settings: Any) -> None:
    payouts = [pending_payout() for _each in range(5)] + [processing_payout()]
    make_due(payouts[-1])
    setattr(settings, name, WRONG[name])

    for claim in (lambda: actions.claim(limit=10), lambda: actions.claim(limit=1)):
        with pytest.raises(KeysError, match=name):
            claim()

    assert not Payout.objects.exclude(attention=Attention.NONE).exists()
    assert Payout.objects.due().count() == len(payouts)


def test_three_altered_payouts_are_set_aside_and_the_others_are_paid() -> None:
    altered = [pending_payout() for _each in range(3)]
    by_hand("UPDATE payouts_payout SET user_id = 9")
    sound = pending_payout()

    assert [each.payout_id for each in actions.claim(limit=10)] == [sound.pk]
    assert Payout.objects.filter(attention=Attention.ALTERED).count() == len(altered)


def test_many_seals_that_do_not_fit_are_our_fault_and_nothing_is_marked() -> None:
    for _each in range(4):
        pending_payout()
    by_hand("UPDATE payouts_payout SET user_id = 9")
    pending_payout()

    with pytest.raises(KeysError, match="4 of 5 payouts do not fit their seals"):
        actions.claim(limit=10)

    assert not Payout.objects.exclude(attention=Attention.NONE).exists()
    assert Payout.objects.due().count() == 5


def test_a_person_sets_many_altered_payouts_aside_and_the_others_are_paid() -> None:
    altered = [pending_payout().pk for _each in range(4)]
    by_hand("UPDATE payouts_payout SET user_id = 9")
    sound = pending_payout()

    with pytest.raises(CommandError):
        call_command("audit", "--set-aside", stdout=StringIO())

    assert [each.payout_id for each in actions.claim(limit=10)] == [sound.pk]
    assert set(Payout.objects.filter(attention=Attention.ALTERED).values_list("pk", flat=True)) == set(altered)


def test_the_audit_does_not_begin_with_keys_that_do_not_fit(settings: Any) -> None:
    payout = pending_payout()
    settings.EVENT_HMAC_KEYS = [OTHER]

    with nothing_changes(payout), pytest.raises(CommandError, match="EVENT_HMAC_KEYS"):
        call_command("audit", "--set-aside", stdout=StringIO())


def test_a_result_under_keys_that_do_not_fit_is_left_to_a_look_up(settings: Any) -> None:
    payout = pending_payout()
    (assignment,) = actions.claim(limit=10)
    settings.EVENT_HMAC_KEYS = [OTHER]

    with pytest.raises(KeysError):
        actions.record_outcomes([(assignment, SUCCEEDED)])

    payout.refresh_from_db()
    assert (payout.status, payout.attention, payout.lease_token) == ("processing", "", assignment.lease_token)


@pytest.mark.parametrize(
    ("name", "new"), [("EVENT_HMAC_KEYS", OTHER), ("FIELD_ENCRYPTION_KEYS", NEW_FIELD_KEY)], ids=["seals", "fields"]
)
def test_an_old_worker_waits_once_a_process_writes_with_a_new_key(name: str, new: str, settings: Any) -> None:
    old = getattr(settings, name)
    setattr(settings, name, [new, *old])
    keys.begin_writing()
    payout = pending_payout()

    setattr(settings, name, old)
    with nothing_changes(payout), pytest.raises(KeysError):
        actions.claim(limit=10)

    setattr(settings, name, [*old, new])
    assert [each.payout_id for each in actions.claim(limit=10)] == [payout.pk]


def test_a_person_in_an_old_process_is_told_to_wait(settings: Any, checker: User) -> None:
    old = settings.EVENT_HMAC_KEYS
    settings.EVENT_HMAC_KEYS = [OTHER, *old]
    payout = awaiting_payout()

    settings.EVENT_HMAC_KEYS = old

    with nothing_changes(payout), pytest.raises(NotAllowedError, match="Keys are being changed"):
        actions.approve(payout.pk, by=checker)


def test_keys_that_do_not_fit_are_never_marked(settings: Any) -> None:
    settings.EVENT_HMAC_KEYS = [OTHER]

    with pytest.raises(KeysError):
        keys.begin_writing()

    assert KeyMark.objects.count() == 3


def test_a_database_without_marks_gets_those_of_the_keys_that_its_payouts_fit(settings: Any) -> None:
    pending_payout()
    with as_owner():
        KeyMark.objects.all().delete()
    ours = settings.EVENT_HMAC_KEYS

    with pytest.raises(KeysError, match="run manage"):
        actions.claim(limit=10)
    settings.EVENT_HMAC_KEYS = [OTHER]
    with pytest.raises(KeysError, match="none of the newest fits"):
        keys.begin()
    settings.EVENT_HMAC_KEYS = ours
    keys.begin()

    assert KeyMark.objects.count() == 3
    assert len(actions.claim(limit=10)) == 1


@pytest.mark.parametrize("text", ["", "zz", "00" * 36])
@pytest.mark.parametrize("setting", WRONG)
def test_a_mark_that_is_junk_fits_no_key(setting: str, text: str) -> None:
    KeyMark.objects.filter(setting=setting).update(text=text)

    with pytest.raises(KeysError):
        keys.require_fit()


@pytest.mark.parametrize("make", [recipes.stored_batch, recipes.approved_batch])
def test_a_batch_is_not_blamed_for_a_wrong_key(make: Any, settings: Any) -> None:
    batch = make(*recipes.BATCH_ROWS)
    task = tasks.check_batch if make == recipes.stored_batch else tasks.submit_batch
    settings.EVENT_HMAC_KEYS, settings.FIELD_ENCRYPTION_KEYS = [OTHER], [NEW_FIELD_KEY]

    with pytest.raises(KeysError):
        task(batch.pk)

    before, batch = batch.state, Batch.objects.get(pk=batch.pk)
    assert (batch.state, batch.altered_at, batch.refusal) == (before, None, None)
