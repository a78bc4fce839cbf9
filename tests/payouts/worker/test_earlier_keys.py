"""Before a new attempt is sent every earlier key is looked up, and a refusal of a key sent before is confirmed."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User

from payouts import actions
from payouts.models import Approval, Attention, Payout
from payouts.providers import ID_NOT_TOLD, Answer, Instruction, Verdict
from payouts.worker import pump
from tests import recipes
from tests.payouts.observe import by_hand, is_clean, last_event, unguarded
from tests.payouts.providers.double import DoubleProvider, Fault
from tests.recipes import claimed, make_due, pending_payout

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _few_threads(settings: Any) -> None:
    settings.PROVIDER_CONCURRENCY = 2


class Slow(DoubleProvider):
    """A provider with payments that nobody sees for a while, and with answers of its own to look-ups."""

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[UUID, Answer] = {}

    def look_up(self, instruction: Instruction, *, deadline: float) -> Answer:
        told = super().look_up(instruction, deadline=deadline)
        return self.said.get(instruction.reference, told)


def _run(provider: DoubleProvider, payout: Payout) -> Payout:
    make_due(payout)
    pump.run(provider=provider)
    return Payout.objects.get(pk=payout.pk)


def _retried_after_a_refusal(operator: User) -> tuple[Payout, UUID]:
    payout = recipes.failed_payout()
    actions.retry(payout.pk, by=operator, reason="Again.")
    return payout, payout.attempts.get().reference


def _operations(provider: DoubleProvider) -> list[str]:
    return [call.operation for call in provider.calls]


@pytest.mark.parametrize("end", [Verdict.SUCCEEDED, Verdict.RETURNED])
def test_an_earlier_attempt_that_was_paid_after_all_is_not_paid_again(end: Verdict, operator: User) -> None:
    provider = Slow()
    payout, key = _retried_after_a_refusal(operator)
    provider.said[key] = Answer(end, provider_id="prv_7", http_status=200)

    payout = _run(provider, payout)

    first, second = payout.attempts.order_by("number")
    assert provider.payments == []
    assert payout.status == {"succeeded": "processed", "returned": "returned"}[end]
    assert (first.outcome, first.provider_id) == ("succeeded", "prv_7")
    assert (second.outcome, second.last_code, second.provider_id) == ("refused", "paid_earlier", "")
    assert [(each.verdict, each.code) for each in second.exchanges.all()] == [(end, "earlier_attempt")]
    events = payout.events.order_by("seq").values_list("event", "from_status", "to_status")
    assert list(events)[-2 - (end == "returned") :][:2] == [
        ("refused", "processing", "failed"),
        ("succeeded", "failed", "processed"),
    ]
    assert is_clean()


@pytest.mark.parametrize(
    "unclear", [Answer(Verdict.PENDING, http_status=200), Answer(Verdict.UNKNOWN, code="timeout")]
)
def test_nothing_is_sent_while_an_earlier_attempt_is_unclear(unclear: Answer, operator: User) -> None:
    provider = Slow()
    payout, key = _retried_after_a_refusal(operator)
    provider.said[key] = unclear

    payout = _run(provider, payout)
    between = (payout.status, payout.due_at is not None, payout.attempts.get(number=2).accepted_at)
    provider.said[key] = Answer(Verdict.REFUSED, code="account_closed", http_status=200)
    payout = _run(provider, payout)

    assert between == ("unknown", True, None)
    assert payout.status == "processed"
    assert _operations(provider) == ["look_up", "look_up", "look_up", "pay"]
    assert is_clean()


@pytest.mark.parametrize(("calls", "operations"), [(1, ["look_up", "pay"]), (2, ["look_up"])])
def test_the_refusal_of_a_key_that_was_sent_once_stands_where_nobody_can_be_asked(
    calls: int, operations: list[str], operator: User
) -> None:
    provider = Slow()
    payout, key = _retried_after_a_refusal(operator)
    by_hand("UPDATE payouts_attempt SET calls = %s WHERE reference = %s", calls, key)
    provider.said[key] = Answer(Verdict.UNKNOWN, code=ID_NOT_TOLD)

    _run(provider, payout)

    assert _operations(provider) == operations


def test_an_earlier_attempt_that_was_unclear_and_then_paid_ends_the_later_one_that_was_never_sent(
    operator: User,
) -> None:
    provider = Slow()
    payout, key = _retried_after_a_refusal(operator)
    provider.said[key] = Answer(Verdict.UNKNOWN, code="timeout")
    _run(provider, payout)
    provider.said[key] = recipes.SUCCEEDED

    payout = _run(provider, payout)

    assert (payout.status, provider.payments) == ("processed", [])
    assert is_clean()


def test_a_later_attempt_that_may_have_been_sent_is_for_people_when_an_earlier_one_was_paid(operator: User) -> None:
    provider = Slow()
    payout, key = _retried_after_a_refusal(operator)
    provider.script(Fault.TIMEOUT_BEFORE)
    _run(provider, payout)
    provider.said[key] = recipes.SUCCEEDED

    payout = _run(provider, payout)

    assert (payout.status, payout.attention, provider.payments) == ("unknown", Attention.CONTRADICTED, [])
    assert payout.events.latest("seq").facts["attempt"] == str(key)
    assert is_clean()


def test_all_earlier_keys_are_looked_up_and_then_it_is_paid(operator: User) -> None:
    provider = DoubleProvider()
    payout = pending_payout()
    provider.script(Fault.REFUSED, Fault.REJECTED)
    for _each in range(2):
        _run(provider, payout)
        actions.retry(payout.pk, by=operator, reason="Again.")

    payout = _run(provider, payout)

    keys = list(payout.attempts.order_by("number").values_list("reference", flat=True))
    assert payout.status == "processed"
    last = [(call.operation, call.instruction.reference) for call in provider.calls[-3:]]
    assert last == [("look_up", keys[0]), ("look_up", keys[1]), ("pay", keys[2])]
    assert is_clean()


def test_a_doubtful_failed_payout_is_looked_up_under_every_key(operator: User) -> None:
    """The late success is of its first attempt; its second was refused."""
    provider = Slow()
    payout = pending_payout()
    slow, quick = claimed(payout), claimed(payout)
    actions.record_outcomes([(quick, recipes.REFUSED)])
    actions.retry(payout.pk, by=operator, reason="Again.")
    provider.script(Fault.REFUSED)
    _run(provider, payout)
    actions.record_outcomes([(slow, provider.pay(slow.instruction, deadline=0))])

    payout = _run(provider, payout)

    assert payout.status == "processed"
    assert list(payout.attempts.order_by("number").values_list("outcome", flat=True)) == ["succeeded", "refused"]
    assert last_event(payout)[:3] == ("succeeded", "failed", "processed")
    assert len(provider.paid(payout.reference)) == 1
    assert is_clean()


# A refusal of a key that was sent before


def test_a_refusal_of_a_second_post_is_confirmed_by_a_look_up(provider: DoubleProvider) -> None:
    payout = pending_payout()
    provider.script(Fault.TIMEOUT_BEFORE, Fault.REFUSED)
    _run(provider, payout)

    payout = _run(provider, payout)

    assert payout.status == "failed"
    assert _operations(provider) == ["pay", "look_up", "pay", "look_up"]


def test_a_refusal_of_a_second_post_whose_first_was_paid_meanwhile_fails_nothing() -> None:
    class Overtaken(DoubleProvider):
        """The first POST arrives just before the second, which is refused as one too many."""

        def pay(self, instruction: Instruction, *, deadline: float) -> Answer:
            if self.calls:
                super().pay(instruction, deadline=deadline)
                return Answer(Verdict.REFUSED, code="duplicate", message="Seen before.", http_status=422)
            return super().pay(instruction, deadline=deadline)

    provider = Overtaken()
    payout = pending_payout()
    provider.script(Fault.TIMEOUT_BEFORE)
    _run(provider, payout)

    payout = _run(provider, payout)

    assert payout.status == "processed"
    assert len(provider.paid(payout.reference)) == 1
    assert is_clean()


def test_a_refusal_of_a_second_post_that_cannot_be_confirmed_is_not_known() -> None:
    class Silent(DoubleProvider):
        def pay(self, instruction: Instruction, *, deadline: float) -> Answer:
            self.look_ups_fail = bool(self.calls)
            return super().pay(instruction, deadline=deadline)

    provider = Silent()
    payout = pending_payout()
    provider.script(Fault.TIMEOUT_BEFORE, Fault.REFUSED)
    _run(provider, payout)

    assert _run(provider, payout).status == "unknown"


class Behind(DoubleProvider):
    """Its search runs a minute behind: that it finds nothing proves nothing before."""

    def look_up(self, instruction: Instruction, *, deadline: float) -> Answer:
        told = super().look_up(instruction, deadline=deadline)
        is_early = told.verdict == Verdict.ABSENT and instruction.searched_after < timedelta(minutes=1)
        return Answer(Verdict.UNKNOWN, code="not_found_yet") if is_early else told


def _later(minutes: int) -> None:
    with unguarded("payouts_attempt"):
        for column in ("created_at", "last_called_at", "finished_at"):
            by_hand(f"UPDATE payouts_attempt SET {column} = {column} - %s * interval '1 minute'", minutes)


def test_a_refusal_of_a_second_post_is_not_believed_while_the_first_may_be_on_its_way() -> None:
    provider = Behind()
    payout = pending_payout()
    provider.script(Fault.TIMEOUT_BEFORE, Fault.REFUSED, Fault.REFUSED)
    _run(provider, payout)
    _later(minutes=1)

    assert _run(provider, payout).status == "unknown"
    assert _operations(provider) == ["pay", "look_up", "pay", "look_up"]

    _later(minutes=4)
    assert _run(provider, payout).status == "failed"


def test_a_retry_is_not_sent_while_the_search_is_behind_the_refusal(operator: User) -> None:
    provider = Behind()
    payout, _key = _retried_after_a_refusal(operator)

    assert _run(provider, payout).status == "unknown"
    assert _operations(provider) == ["look_up"]

    _later(minutes=1)
    assert _run(provider, payout).status == "processed"
    assert len(provider.paid(payout.reference)) == 1


def test_an_old_attempt_is_looked_up_by_its_age_however_lately_it_was_called(operator: User) -> None:
    provider = Behind()
    payout, _key = _retried_after_a_refusal(operator)
    _later(minutes=3)

    _run(provider, payout)

    asked = provider.calls[0].instruction
    assert asked.quiet is not None
    assert timedelta(minutes=3) <= asked.quiet <= asked.age


def test_a_call_that_is_long_over_is_not_waited_for_again_once_people_have_resolved_it(operator: User) -> None:
    payout = recipes.unknown_payout()
    _later(minutes=4)
    for _voice in range(2):
        actions.resolve(
            payout.pk,
            by=recipes.person.make(),
            decision=Approval.Decision.NOT_PAID,
            evidence="The statement",
        )
    actions.retry(payout.pk, by=operator, reason="It was not paid.")

    assert _run(Behind(), payout).status == "processed"
