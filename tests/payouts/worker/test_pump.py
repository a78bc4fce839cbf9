"""The pump against a provider in memory: everything due is paid, and paid once."""

import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, OperationalError, connection

from payouts import actions
from payouts.models import WAITS_FOR_ACCOUNT, Approval, Attempt, Attention, Payout
from payouts.providers import ID_NOT_TOLD, Answer, Instruction, Verdict
from payouts.worker import pump
from tests import recipes
from tests.payouts.observe import by_hand, is_clean, reading_only, rings
from tests.payouts.providers.double import DoubleProvider, Fault
from tests.recipes import awaiting_payout, held_payout, make_due, pending_payout, scheduled_payout
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _few_threads(settings: Any) -> None:
    settings.PROVIDER_CONCURRENCY = 4


def _run(provider: DoubleProvider, **given: Any) -> None:
    pump.run(provider=provider, **given)


def _again(provider: DoubleProvider, *payouts: Payout) -> None:
    for payout in payouts:
        make_due(payout)
    _run(provider)


def _operations(provider: DoubleProvider, payout: Payout) -> list[str]:
    return [call.operation for call in provider.calls if call.instruction.payout == payout.reference]


def _status(payout: Payout) -> str:
    return Payout.objects.get(pk=payout.pk).status


def test_everything_due_is_paid_once_and_nothing_else(provider: DoubleProvider) -> None:
    due = [pending_payout() for _each in range(30)]
    others = [awaiting_payout(), held_payout(), scheduled_payout()]

    _run(provider)

    assert {_status(payout) for payout in due} == {"processed"}
    assert {_status(payout) for payout in others} == {"pending"}
    assert [len(provider.paid(payout.reference)) for payout in due] == [1] * 30
    assert len(provider.calls) == 30
    assert is_clean()


def test_while_the_database_refuses_to_write_nothing_is_claimed_and_nobody_is_called(
    provider: DoubleProvider,
) -> None:
    payout = pending_payout()

    with reading_only(), pytest.raises(OperationalError):
        _run(provider)

    assert (provider.calls, _status(payout)) == ([], "pending")


def test_a_second_run_has_nothing_to_do(provider: DoubleProvider) -> None:
    pending_payout()
    _run(provider)
    before = len(provider.calls)

    _run(provider)

    assert len(provider.calls) == before


def test_the_provider_is_told_what_was_submitted(provider: DoubleProvider) -> None:
    payout = pending_payout()

    _run(provider)

    (payment,) = provider.paid(payout.reference)
    instruction = payment.instruction
    assert (str(instruction.amount), instruction.currency) == ("100.50", "RUB")
    assert instruction.recipient == recipes.CARD
    assert instruction.reference == payout.attempts.get().reference
    assert payout.attempts.get().provider_id == payment.provider_id


@pytest.mark.parametrize("fault", [Fault.TIMEOUT_AFTER, Fault.RESET_AFTER, Fault.HTTP_500_AFTER, Fault.GARBAGE_AFTER])
def test_money_that_left_without_an_answer_is_found_by_the_look_up(fault: Fault, provider: DoubleProvider) -> None:
    payout = pending_payout()
    provider.script(fault)
    _run(provider)
    between = _status(payout)

    _again(provider, payout)

    assert (between, _status(payout)) == ("unknown", "processed")
    assert _operations(provider, payout) == ["pay", "look_up"]
    assert len(provider.paid(payout.reference)) == 1
    assert is_clean()


@pytest.mark.parametrize(
    "fault", [Fault.TIMEOUT_BEFORE, Fault.HTTP_500_BEFORE, Fault.RATE_LIMITED, Fault.UNREACHABLE]
)
def test_money_that_did_not_leave_is_sent_with_the_same_key_after_a_look_up(
    fault: Fault, provider: DoubleProvider
) -> None:
    payout = pending_payout()
    provider.script(fault)
    _run(provider)

    _again(provider, payout)

    assert _status(payout) == "processed"
    assert _operations(provider, payout) == ["pay", "look_up", "pay"]
    assert len({call.instruction.reference for call in provider.calls}) == 1
    assert len(provider.paid(payout.reference)) == 1
    assert payout.attempts.count() == 1


def test_nothing_is_sent_again_while_look_ups_fail(provider: DoubleProvider) -> None:
    payout = pending_payout()
    provider.script(Fault.TIMEOUT_BEFORE)
    _run(provider)
    provider.look_ups_fail = True

    for _each in range(3):
        _again(provider, payout)

    assert _operations(provider, payout) == ["pay", "look_up", "look_up", "look_up"]
    assert _status(payout) == "unknown"


class Nameless(DoubleProvider):
    """One that can be asked only by an id that it has not told."""

    def look_up(self, instruction: Instruction, *, deadline: float) -> Answer:
        super().look_up(instruction, deadline=deadline)
        return Answer(Verdict.UNKNOWN, code=ID_NOT_TOLD)


@pytest.mark.parametrize("fault", [Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER])
def test_where_nobody_can_be_asked_the_same_key_asks_within_its_life(fault: Fault) -> None:
    provider = Nameless()
    payout = pending_payout()
    provider.script(fault)
    _run(provider)

    _again(provider, payout)

    assert _operations(provider, payout) == ["pay", "look_up", "pay"]
    assert len(provider.paid(payout.reference)) == 1
    assert _status(payout) == "processed"


def test_where_nobody_can_be_asked_nothing_is_sent_past_the_keys_time(settings: Any) -> None:
    provider = Nameless()
    payout = pending_payout()
    provider.script(Fault.TIMEOUT_BEFORE)
    _run(provider)
    settings.PROVIDER_KEY_TTL_SECONDS = 0

    _again(provider, payout)

    assert _operations(provider, payout) == ["pay", "look_up"]
    assert _status(payout) == "unknown"


def test_where_nobody_can_be_asked_a_refusal_of_what_was_sent_before_is_not_believed() -> None:
    provider = Nameless()
    payout = pending_payout()
    provider.script(Fault.TIMEOUT_AFTER, Fault.REFUSED)
    _run(provider)

    _again(provider, payout)

    assert _operations(provider, payout) == ["pay", "look_up", "pay", "look_up"]
    assert _status(payout) == "unknown"


def test_past_the_keys_time_nothing_is_sent_and_a_person_is_asked(provider: DoubleProvider, settings: Any) -> None:
    payout = pending_payout()
    provider.script(Fault.TIMEOUT_BEFORE)
    _run(provider)
    settings.PROVIDER_KEY_TTL_SECONDS = 0

    _again(provider, payout)

    payout.refresh_from_db()
    assert _operations(provider, payout) == ["pay", "look_up"]
    assert (payout.status, payout.attention, payout.due_at) == ("unknown", Attention.NOT_FOUND, None)


def test_a_call_counted_back_by_sql_past_the_keys_time_pays_nothing(provider: DoubleProvider, settings: Any) -> None:
    payout = pending_payout()
    provider.script(Fault.TIMEOUT_BEFORE)
    _run(provider)
    settings.PROVIDER_KEY_TTL_SECONDS = 0
    by_hand("SET CONSTRAINTS ALL IMMEDIATE")
    by_hand("ALTER TABLE payouts_attempt DISABLE TRIGGER USER")
    by_hand("UPDATE payouts_attempt SET calls = 0")

    _again(provider, payout)

    assert _operations(provider, payout) == ["pay", "look_up"]
    assert provider.payments == []


def test_a_voice_between_two_calls_stops_the_second_payment(provider: DoubleProvider) -> None:
    payout = pending_payout()
    provider.script(Fault.TIMEOUT_BEFORE)
    _run(provider)
    actions.resolve(payout.pk, by=recipes.person.make(), decision=Approval.Decision.NOT_PAID, evidence="Statement")

    _again(provider, payout)

    payout.refresh_from_db()
    assert _operations(provider, payout) == ["pay", "look_up"]
    assert (payout.status, payout.attention) == ("unknown", Attention.NOT_FOUND)


@pytest.mark.parametrize(("fault", "status"), [(Fault.REFUSED, "failed"), (Fault.REJECTED, "failed")])
def test_a_refusal_fails_and_a_retry_pays_under_a_new_key(
    fault: Fault, status: str, provider: DoubleProvider
) -> None:
    payout = pending_payout()
    provider.script(fault)
    _run(provider)
    between = _status(payout)

    actions.retry(payout.pk, by=recipes.person.make(), reason="Again.")
    _run(provider)

    assert (between, _status(payout)) == (status, "processed")
    assert _operations(provider, payout) == ["pay", "look_up", "pay"]
    assert len({call.instruction.reference for call in provider.calls}) == 2
    assert len(provider.paid(payout.reference)) == 1
    assert is_clean()


@pytest.mark.parametrize(("end", "status"), [(Verdict.SUCCEEDED, "processed"), (Verdict.REFUSED, "failed")])
def test_what_the_provider_accepted_ends_when_the_provider_says_so(
    end: Verdict, status: str, provider: DoubleProvider
) -> None:
    payout = pending_payout()
    provider.script(Fault.PENDING)
    _run(provider)
    _again(provider, payout)
    between = _status(payout)

    provider.settle(payout.attempts.get().reference, end)
    _again(provider, payout)

    assert (between, _status(payout)) == ("processing", status)
    assert _operations(provider, payout) == ["pay", "look_up", "look_up"]


class _Raising(DoubleProvider):
    def pay(self, instruction: Instruction, *, deadline: float) -> Answer:
        answer = super().pay(instruction, deadline=deadline)
        if instruction.amount == 666:
            raise RuntimeError("a bug in the adapter, after the money left")
        return answer


def test_an_adapter_that_raises_leaves_the_outcome_unknown_and_is_looked_up() -> None:
    provider = _Raising()
    poison, others = pending_payout(amount=recipes.Decimal(666)), [pending_payout() for _each in range(8)]

    _run(provider)
    between = _status(poison)
    _again(provider, poison)

    assert {_status(payout) for payout in others} == {"processed"}
    assert (between, _status(poison)) == ("unknown", "processed")
    assert poison.attempts.get().last_code == ""
    assert len(provider.paid(poison.reference)) == 1


def test_a_stop_leaves_the_rest_due_and_rings_for_it(provider: DoubleProvider) -> None:
    payouts = [pending_payout() for _each in range(20)]
    rung = rings()

    _run(provider, must_stop=lambda: len(provider.calls) > 0)

    paid = [payout for payout in payouts if _status(payout) == "processed"]
    assert 0 < len(paid) < 20
    assert len(provider.calls) == len(paid)
    assert Payout.objects.due().count() == 20 - len(paid)
    assert rings() > rung
    _run(provider)
    assert {_status(payout) for payout in payouts} == {"processed"}
    assert len(provider.payments) == 20


def test_a_stop_from_the_start_claims_nothing(provider: DoubleProvider) -> None:
    payout = pending_payout()
    rung = rings()

    _run(provider, must_stop=lambda: True)

    assert (_status(payout), provider.calls) == ("pending", [])
    assert rings() == rung + 1


def test_no_call_begins_that_could_not_end_in_time(provider: DoubleProvider, settings: Any) -> None:
    settings.Q_TIMEOUT_SECONDS = settings.PROVIDER_TIMEOUT_SECONDS + pump.RECORDING_SECONDS + 2
    provider.delay_seconds = 0.5
    payouts = [pending_payout() for _each in range(24)]

    _run(provider)

    assert 0 < len(provider.payments) < 24
    waiting = Payout.objects.exclude(status="processed")
    assert not waiting.exclude(lease_token=None).exists()
    settings.Q_TIMEOUT_SECONDS = 60
    provider.delay_seconds = 0
    _run(provider)
    assert {_status(payout) for payout in payouts} == {"processed"}
    assert [len(provider.paid(payout.reference)) for payout in payouts] == [1] * 24
    assert is_clean()


def test_no_call_begins_that_could_not_end_before_its_lease(provider: DoubleProvider, settings: Any) -> None:
    settings.LEASE_SECONDS = settings.PROVIDER_TIMEOUT_SECONDS + 0.4
    provider.delay_seconds = 0.5
    payouts = [pending_payout() for _each in range(8)]  # twice as many as threads, claimed at once

    _run(provider)

    assert {_status(payout) for payout in payouts} == {"processed"}
    assert [len(provider.paid(payout.reference)) for payout in payouts] == [1] * 8
    claimed_again = [attempt for attempt in Attempt.objects.all() if attempt.calls > 1]
    assert len(claimed_again) >= 4
    assert [_operations(provider, attempt.payout)[0] for attempt in claimed_again] == ["look_up"] * len(claimed_again)
    assert is_clean()


def test_a_payout_whose_outcome_cannot_be_recorded_holds_up_no_other(provider: DoubleProvider) -> None:
    payouts = [pending_payout() for _each in range(6)]
    by_hand(
        "INSERT INTO payouts_event"
        " (payout_id, seq, event, from_status, to_status, at, actor, reason, trace_id, facts, mac)"
        " SELECT id, 3, 'succeeded', 'processing', 'processed', now(), 'x', '', '', '{}', 'x'"
        " FROM payouts_payout WHERE id = %s",
        payouts[2].pk,
    )

    _run(provider)

    others = {_status(payout) for payout in payouts if payout != payouts[2]}
    payouts[2].refresh_from_db()
    assert others == {"processed"}
    assert payouts[2].status == "processing"
    assert payouts[2].lease_token is not None


def test_settings_that_make_no_provider_stop_the_pump_before_it_claims(settings: Any) -> None:
    settings.PROVIDER_TOKEN = ""
    payout = pending_payout()

    with pytest.raises(ValueError, match="The provider's token"):
        pump.run()

    assert (_status(payout), Attempt.objects.count()) == ("pending", 0)


def test_what_was_sent_to_an_account_that_left_waits_for_it_and_holds_up_no_other(provider: DoubleProvider) -> None:
    payout, other = pending_payout(), pending_payout()
    with provider.registered():
        assignment = recipes.claimed(payout)
        actions.give_back([assignment])
        by_hand("SET CONSTRAINTS ALL IMMEDIATE")
        by_hand("ALTER TABLE payouts_attempt DISABLE TRIGGER USER")
        by_hand("UPDATE payouts_attempt SET provider = 'gone'")

        pump.run()

    payout.refresh_from_db()
    assert (payout.status, payout.waits_for, _operations(provider, payout)) == ("unknown", WAITS_FOR_ACCOUNT, [])
    assert _status(other) == "processed"


def test_a_full_batch_rings_for_another_worker_once(provider: DoubleProvider) -> None:
    for _each in range(30):
        pending_payout()
    rung = rings()

    _run(provider)

    assert rings() == rung + 1


def test_calls_run_side_by_side_and_never_in_the_calling_thread(settings: Any) -> None:
    settings.PROVIDER_CONCURRENCY = 4
    together = threading.Barrier(4, timeout=PATIENCE_SECONDS)
    names: set[str] = set()

    class Meeting(DoubleProvider):
        def pay(self, instruction: Instruction, *, deadline: float) -> Answer:
            together.wait()
            names.add(threading.current_thread().name)
            return super().pay(instruction, deadline=deadline)

    payouts = [pending_payout() for _each in range(4)]

    _run(Meeting())

    assert {_status(payout) for payout in payouts} == {"processed"}
    assert threading.current_thread().name not in names


@pytest.mark.django_db(transaction=True)
def test_a_connection_to_postgresql_that_breaks_during_the_calls_costs_no_payment_and_no_outcome(
    settings: Any,
) -> None:
    settings.PROVIDER_CONCURRENCY = 2
    payouts = [pending_payout() for _each in range(12)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    other = connection.copy()

    class Cutting(DoubleProvider):
        """PostgreSQL drops the pump's session while its fifth call is under way."""

        def pay(self, instruction: Instruction, *, deadline: float) -> Answer:
            if len(self.calls) == 4:
                with psycopg.connect(**_session(), autocommit=True) as session:
                    session.execute("SELECT pg_terminate_backend(%s)", [pid])
            return super().pay(instruction, deadline=deadline)

    def _session() -> dict[str, Any]:
        given = other.settings_dict
        return {
            "host": given["HOST"],
            "port": given["PORT"],
            "user": given["USER"],
            "password": given["PASSWORD"],
            "dbname": given["NAME"],
        }

    provider = Cutting()

    with suppress(DatabaseError):
        _run(provider)
    connection.close()
    between = Payout.objects.filter(status="processed").count()
    Payout.objects.exclude(due_at=None).update(due_at=datetime(2000, 1, 1, tzinfo=UTC))
    _run(provider)

    assert between >= 4
    assert {_status(payout) for payout in payouts} == {"processed"}
    assert [len(provider.paid(payout.reference)) for payout in payouts] == [1] * 12
    assert is_clean()
