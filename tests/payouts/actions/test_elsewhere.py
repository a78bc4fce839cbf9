"""The database was put back, and the routes with it: what one account may have paid is paid by no other."""

from typing import Any

import pytest
from django.db import transaction

from payouts import actions
from payouts.actions import recovery, unknown_payments
from payouts.actions.unknown_payments import Heard
from payouts.models import ApiClient, Payout, Route, UnknownPayment, sealed_sets
from payouts.providers import ID_NOT_TOLD, Answer, Instruction, Verdict
from payouts.references import attempt_reference
from payouts.worker import pump
from tests import recipes
from tests.payouts.observe import is_clean
from tests.payouts.providers.double import DoubleProvider, Fault
from tests.recipes import make_due, pending_payout

pytestmark = pytest.mark.django_db


class ByItsId(DoubleProvider):
    """It can be asked only by the id that it gave."""

    def look_up(self, instruction: Instruction, *, deadline: float) -> Answer:
        told = super().look_up(instruction, deadline=deadline)
        return told if instruction.provider_id else Answer(Verdict.UNKNOWN, code=ID_NOT_TOLD)


def _paid_at_eu_and_forgotten(
    client: ApiClient, eu: DoubleProvider, *, retried: bool = False, refusal: Fault = Fault.REJECTED
) -> Payout:
    """Submitted once while a route said `eu`, and paid there; asked for again when nothing is left of either."""
    terms = {"client": client, "idempotency_key": "one"}
    with transaction.atomic():
        Route.objects.create(position=10, account="eu")
        payout = pending_payout(**terms)
        if retried:
            eu.script(refusal)
            first = recipes.claimed(payout)
            actions.record_outcomes([(first, eu.pay(first.instruction, deadline=0))])
            actions.retry(payout.pk, by=recipes.person.make(), reason="The account is open again.")
        eu.pay(recipes.claimed(payout).instruction, deadline=0)
        transaction.set_rollback(True)
    sealed_sets.forget()
    again = pending_payout(**terms)
    assert (again.reference, again.provider) == (payout.reference, "http")
    assert len(eu.paid(again.reference)) == 1
    return again


def _heard(payout: Payout, at: str, provider_id: str, *, number: int = 1) -> None:
    key = attempt_reference(payout.reference, number)
    heard = Heard(key, Verdict.SUCCEEDED, payout.amount, payout.currency, provider_id)
    unknown_payments.note([heard], provider=at, source=UnknownPayment.Source.WEBHOOK)


@pytest.mark.parametrize(
    "given",
    [{}, {"retried": True}, {"retried": True, "refusal": Fault.REFUSED}],
    ids=["at once", "by a retry", "by a retry of a refusal that left no trace"],
)
def test_in_recovery_mode_every_account_is_asked_before_one_pays(given: dict[str, Any], client: ApiClient) -> None:
    """A look-up at the account of the present routes finds nothing: it was paid at another one."""
    with DoubleProvider().registered() as http, DoubleProvider("eu").registered() as eu:
        payout = _paid_at_eu_and_forgotten(client, eu, **given)
        recovery.begin(by="shell:operator", reason="Restored the backup of 03:00.")
        pump.run()

    payout.refresh_from_db()
    assert (payout.status, payout.attention) == ("unknown", "contradicted")
    assert payout.attempts.get().last_code == "key_known_elsewhere"
    assert (http.payments, len(eu.paid(payout.reference))) == ([], 1)
    assert is_clean()


def test_in_recovery_mode_what_no_account_knows_is_paid() -> None:
    with DoubleProvider().registered() as http, DoubleProvider("eu").registered() as eu:
        payout = pending_payout()
        recovery.begin(by="shell:operator", reason="Restored the backup of 03:00.")
        pump.run()

    payout.refresh_from_db()
    assert payout.status == "processed"
    assert http.calls[-1].operation == "pay"
    assert {call.operation for call in eu.calls} == {"look_up"}
    asked = [call.instruction.reference for call in eu.calls]
    assert asked == [attempt_reference(payout.reference, number) for number in (1, 2, 3, 4)]


def test_in_recovery_mode_nothing_is_paid_while_an_account_does_not_answer() -> None:
    with DoubleProvider().registered() as http, DoubleProvider("eu").registered() as eu:
        eu.look_ups_fail = True
        payout = pending_payout()
        recovery.begin(by="shell:operator", reason="Restored the backup of 03:00.")
        pump.run()

    payout.refresh_from_db()
    assert (payout.status, http.payments) == ("unknown", [])


def test_an_account_that_can_say_nothing_of_our_keys_holds_up_no_other() -> None:
    class Dumb(DoubleProvider):
        def look_up(self, instruction: Instruction, *, deadline: float) -> Answer:
            return Answer(Verdict.UNKNOWN, code="out_of_reach")

    with DoubleProvider().registered(), Dumb("eu").registered():
        payout = pending_payout()
        recovery.begin(by="shell:operator", reason="Restored the backup of 03:00.")
        pump.run()

    payout.refresh_from_db()
    assert payout.status == "processed"


def test_what_another_account_has_told_of_is_asked_about_there_in_no_recovery_either(client: ApiClient) -> None:
    with DoubleProvider().registered() as http, DoubleProvider("eu").registered() as eu:
        payout = _paid_at_eu_and_forgotten(client, eu)
        _heard(payout, "eu", "prv_1")
        eu.look_ups_fail = True
        pump.run()
        eu.look_ups_fail = False
        make_due(payout)
        pump.run()

    payout.refresh_from_db()
    assert (payout.status, payout.attention) == ("unknown", "contradicted")
    assert (http.payments, len(eu.payments)) == ([], 1)


@pytest.mark.parametrize("is_named", [True, False], ids=["it told its id", "it told no id"])
def test_what_an_account_that_is_asked_by_its_id_alone_has_told_of_is_paid_by_no_other(
    is_named: bool, client: ApiClient
) -> None:
    with DoubleProvider().registered() as http, ByItsId("eu").registered() as eu:
        payout = _paid_at_eu_and_forgotten(client, eu)
        _heard(payout, "eu", eu.payments[0].provider_id if is_named else "")
        pump.run()

    payout.refresh_from_db()
    assert (payout.status, payout.attention) == ("unknown", "contradicted")
    assert (http.payments, len(eu.payments)) == ([], 1)
    assert is_clean()


def test_what_an_account_told_of_that_the_settings_have_dropped_is_paid_by_no_other(client: ApiClient) -> None:
    with DoubleProvider().registered() as http:
        with DoubleProvider("eu").registered() as eu:
            payout = _paid_at_eu_and_forgotten(client, eu)
        _heard(payout, "eu", "prv_1")
        pump.run()

    payout.refresh_from_db()
    assert (payout.status, payout.attention, http.payments) == ("unknown", "contradicted", [])
    assert is_clean()


def test_what_the_account_itself_has_told_of_is_asked_about_by_its_id_and_its_key_is_not_sent_again(
    client: ApiClient,
) -> None:
    """Its key may be forgotten there: we cannot tell how old it is."""
    with ByItsId("eu").registered() as eu:
        with transaction.atomic():
            Route.objects.create(position=10, account="eu")
            eu.pay(recipes.claimed(pending_payout(client=client, idempotency_key="one")).instruction, deadline=0)
            transaction.set_rollback(True)
        sealed_sets.forget()
        Route.objects.create(position=10, account="eu")
        payout = pending_payout(client=client, idempotency_key="one")
        _heard(payout, "eu", eu.payments[0].provider_id)
        pump.run()

    payout.refresh_from_db()
    assert (payout.status, [call.operation for call in eu.calls]) == ("processed", ["pay", "look_up"])
    assert is_clean()


@pytest.mark.parametrize("account", ["http", "eu"])
def test_what_was_heard_of_a_later_key_keeps_an_earlier_one_from_being_sent(account: str, client: ApiClient) -> None:
    """Refused without a trace and paid by a retry, and both are forgotten: in no recovery mode either."""
    with DoubleProvider().registered() as http, DoubleProvider("eu").registered() as eu:
        paid_at = {"http": http, "eu": eu}[account]
        with transaction.atomic():
            Route.objects.create(position=10, account=account)
            payout = pending_payout(client=client, idempotency_key="one")
            paid_at.script(Fault.REFUSED)
            first = recipes.claimed(payout)
            actions.record_outcomes([(first, paid_at.pay(first.instruction, deadline=0))])
            actions.retry(payout.pk, by=recipes.person.make(), reason="The account is open again.")
            paid_at.pay(recipes.claimed(payout).instruction, deadline=0)
            transaction.set_rollback(True)
        sealed_sets.forget()
        payout = pending_payout(client=client, idempotency_key="one")
        _heard(payout, account, "prv_1", number=2)
        pump.run()

    payout.refresh_from_db()
    assert (payout.status, payout.attention) == ("unknown", "contradicted")
    assert len(http.payments) + len(eu.payments) == 1
    assert is_clean()
