"""Somebody pays a recipient while they are erased: either is refused or waits, and no payment loses its recipient."""

import threading
from typing import Any

import pytest
from django.db import connections, transaction
from django.utils import timezone

from payouts import actions, rules, vault
from payouts.actions import NotAllowedError, erasure
from payouts.models import ApiClient, Payout, RecipientKey
from payouts.states import Status
from tests import recipes
from tests.payouts.actions.test_races import RACES, accepted, at_once
from tests.payouts.observe import is_anybody_waiting, is_clean
from tests.recipes import failed_payout, pending_payout, person, processed_payout
from tests.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def recipient(number: int) -> dict[str, Any]:
    return {"account": f"4081781000000000{number:04}", "name": "Иван Петров"}


def erase(payout: Payout) -> str:
    """Returns why not; empty where the recipient is erased now."""
    with transaction.atomic():
        key = RecipientKey.objects.select_for_update().get(pk=vault.key_named(payout.recipient))
        if obstacle := rules.why_not_erase(key):
            return obstacle
        erasure.erase(key, at=timezone.now(), proposed_by=None, confirmed_by=None, on_server="test", reason="Asked.")
    return ""


@pytest.fixture
def client() -> ApiClient:
    made: ApiClient = recipes.client.make()
    return made


def test_two_first_payments_of_one_recipient_make_one_key(client: ApiClient) -> None:
    for number in range(RACES):
        at_once(*[lambda number=number: pending_payout(client=client, recipient=recipient(number))] * 4)

    assert RecipientKey.objects.count() == RACES
    assert all(payout.recipient_details for payout in Payout.objects.all())


def test_a_submission_while_the_recipient_is_erased_has_a_key_that_stays(client: ApiClient) -> None:
    outcomes = set()
    for number in range(RACES):
        paid = processed_payout(client=client, recipient=recipient(number))

        new, refusal = at_once(
            lambda number=number: pending_payout(client=client, recipient=recipient(number)),
            lambda paid=paid: erase(paid),
        )

        new = Payout.objects.get(pk=new.pk)
        assert new.recipient_details == recipient(number)
        assert (Payout.objects.get(pk=paid.pk).erasure is None) == bool(refusal)
        outcomes.add((bool(refusal), new.recipient_key.number if new.recipient_key else 0))
        actions.cancel(new.pk, by=client)

    assert outcomes <= {(True, 1), (False, 2)}
    assert is_clean()


def test_a_submission_waits_for_an_erasure_that_is_under_way(client: ApiClient) -> None:
    paid = processed_payout(client=client, recipient=recipient(1))
    made: list[Payout] = []

    def submit() -> None:
        made.append(pending_payout(client=client, recipient=recipient(1)))
        connections.close_all()

    waiting = threading.Thread(target=submit)
    with transaction.atomic():
        assert erase(paid) == ""
        waiting.start()
        wait_until(is_anybody_waiting, lives=waiting.is_alive)
        assert made == []
    waiting.join(timeout=PATIENCE_SECONDS)

    (new,) = made
    assert Payout.objects.get(pk=new.pk).recipient_details == recipient(1)
    assert Payout.objects.get(pk=paid.pk).erasure is not None


def test_a_retry_while_the_recipient_is_erased_is_refused_or_refuses(client: ApiClient) -> None:
    by = person.make()
    for number in range(RACES):
        failed = failed_payout(client=client, recipient=recipient(number))

        retried, refusal = at_once(
            lambda failed=failed: actions.retry(failed.pk, by=by, reason="Again."),
            lambda failed=failed: erase(failed),
        )

        present = Payout.objects.get(pk=failed.pk)
        if refusal:
            assert accepted([retried])
            assert present.status == Status.PENDING
            assert present.recipient_details == recipient(number)
            actions.cancel(failed.pk, by=client)
        else:
            assert isinstance(retried, NotAllowedError)
            assert present.status == Status.FAILED
    assert is_clean()


def test_keys_are_put_under_a_new_one_while_recipients_are_paid(client: ApiClient, settings: Any) -> None:
    pending_payout(client=client, recipient=recipient(1))

    with transaction.atomic():
        RecipientKey.objects.select_for_update(no_key=True).get()
        (new,) = at_once(lambda: pending_payout(client=client, recipient=recipient(1)))

    assert new.recipient_key.number == 1
