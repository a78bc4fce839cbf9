"""Each mutant breaks the mechanism that it names in the code that runs, which alone lets the storm catch it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import OrmQ

from payouts import actions, configuration, references, tasks
from payouts.actions import assignments, claims, funds, late, outcomes, recovery, velocity
from payouts.clients import create_client
from payouts.database import rows
from payouts.models import (
    ApprovalBand,
    Attempt,
    Attention,
    Heartbeat,
    Payout,
    Scope,
    VelocityLimit,
    sealed_sets,
)
from payouts.providers import Balance, Verdict, registry
from payouts.providers.yookassa import answers
from payouts.states import Status
from payouts.worker import pump, supervisor
from payouts.worker.broker import Progress
from tests import recipes
from tests.campaign import mutants
from tests.campaign.__main__ import every_mutant
from tests.campaign.drilled import DRILLED, count_of
from tests.campaign.plan import MUTANTS
from tests.campaign.report import CLEAN, VIOLATED
from tests.payouts.observe import by_hand, rings, unguarded
from tests.payouts.providers.double import DoubleProvider, Fault
from tests.payouts.providers.programs import instruction

pytestmark = pytest.mark.django_db

HOMES: tuple[Any, ...] = (
    *(actions, answers, assignments, claims, funds, late, pump, recovery, references, registry, rows, sealed_sets),
    *(supervisor.Pulse, tasks, velocity),
)


@pytest.fixture
def mutate() -> Iterator[Callable[[str], None]]:
    """Take one mechanism away, until the end of the test."""
    sound = [(home, dict(vars(home))) for home in HOMES]
    yield lambda name: getattr(mutants, name)()
    for home, names in sound:
        for name, value in names.items():
            if vars(home)[name] is not value:
                setattr(home, name, value)


@pytest.fixture
def provider() -> DoubleProvider:
    return DoubleProvider()


def fresh(payout: Payout) -> Payout:
    return Payout.objects.get(pk=payout.pk)


def paid(payout: Payout, provider: DoubleProvider) -> Payout:
    """After a pump, whatever came of it."""
    recipes.make_due(payout)
    pump.run(provider=provider)
    return fresh(payout)


def test_every_mutant_has_a_test_here() -> None:
    tests = [name for name in globals() if name.startswith("test_")]

    assert [
        mutant for mutant in (*MUTANTS, *DRILLED) if not any(name.startswith(f"test_{mutant}_") for name in tests)
    ] == []


def test_new_key_per_call_sends_another_key_than_the_attempts(
    mutate: Callable[[str], None], provider: DoubleProvider
) -> None:
    sound = recipes.pending_payout()
    paid(sound, provider)

    mutate("new_key_per_call")
    mutated = recipes.pending_payout()
    paid(mutated, provider)

    keys = {payment.instruction.payout: payment.instruction.reference for payment in provider.payments}
    assert keys[sound.reference] == sound.attempts.get().reference
    assert keys[mutated.reference] != mutated.attempts.get().reference


def test_failing_by_age_fails_what_is_unknown(
    mutate: Callable[[str], None], provider: DoubleProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutants, "OLD_SECONDS", -60)
    payout = recipes.unknown_payout()

    pump.run(provider=provider)
    before = fresh(payout).status
    mutate("failing_by_age")
    pump.run(provider=provider)

    assert (before, fresh(payout).status) == (Status.UNKNOWN, Status.FAILED)


def test_timeout_as_failure_fails_what_was_paid(mutate: Callable[[str], None], provider: DoubleProvider) -> None:
    provider.script(Fault.TIMEOUT_AFTER, Fault.TIMEOUT_AFTER)

    before = paid(recipes.pending_payout(), provider).status
    mutate("timeout_as_failure")

    assert (before, paid(recipes.pending_payout(), provider).status) == (Status.UNKNOWN, Status.FAILED)
    assert len(provider.payments) == 2


def test_no_velocity_limit_sends_what_exceeds_one(mutate: Callable[[str], None], provider: DoubleProvider) -> None:
    VelocityLimit.objects.create(scope="all", currency="RUB", window="minute", amount=1)

    before = paid(recipes.pending_payout(), provider).status
    mutate("no_velocity_limit")

    assert (before, paid(recipes.pending_payout(), provider).status) == (Status.PENDING, Status.PROCESSED)


def test_no_dual_control_lets_one_person_change_a_band(mutate: Callable[[str], None], settings: Any) -> None:
    settings.DUAL_CONTROL = True
    band = ApprovalBand.objects.filter(currency="USD").latest("from_amount")
    after = configuration.subject("approval_band").snapshot(band) | {"approvals_required": 0}
    insider = recipes.allowed_to("change_approvalband")

    mutate("no_dual_control")
    configuration.change("approval_band", band.pk, after, by=insider)

    band.refresh_from_db()
    assert band.approvals_required == 0


def test_unsealed_configuration_believes_bands_that_sql_has_lowered(mutate: Callable[[str], None]) -> None:
    by_hand("UPDATE payouts_approvalband SET approvals_required = 0")
    sealed_sets.forget()
    with pytest.raises(sealed_sets.ConfigurationAlteredError):
        recipes.awaiting_payout()

    mutate("unsealed_configuration")

    assert recipes.awaiting_payout().approvals_required == 0


def test_ignore_idempotency_key_makes_two_payouts(mutate: Callable[[str], None]) -> None:
    _client, key = create_client("shop", scopes=[Scope.WRITE])
    body = {"user_id": 1, "amount": "100.50", "currency": "RUB", "recipient_details": recipes.CARD}

    def twice() -> list[int]:
        headers = {"authorization": f"Bearer {key}", "idempotency-key": "order-17"}
        answers = [
            Client().post("/api/payouts/", body, content_type="application/json", headers=headers) for _ in range(2)
        ]
        return [answer.status_code for answer in answers]

    before = twice()
    mutate("ignore_idempotency_key")

    assert (before, twice()) == ([201, 200], [201, 201])


def test_no_sweep_gives_a_sign_of_life_and_rings_for_nothing(mutate: Callable[[str], None], settings: Any) -> None:
    settings.REDIS_URL = ""  # every ring is a task
    recipes.pending_payout()

    def rung() -> int:
        OrmQ.objects.all().delete()
        import_string("payouts.tasks.sweep")("one")  # as the queue finds it
        return rings()

    before = rung()
    mutate("no_sweep")

    assert (before, rung()) == (1, 0)
    assert Heartbeat.objects.filter(cluster="one").exists()


def test_post_past_ttl_sends_again_without_looking_up(
    mutate: Callable[[str], None], provider: DoubleProvider, settings: Any
) -> None:
    sound, mutated = recipes.unknown_payout(), recipes.unknown_payout()
    settings.PROVIDER_KEY_TTL_SECONDS = 0

    paid(sound, provider)
    mutate("post_past_ttl")
    paid(mutated, provider)

    called = [(call.operation, call.instruction.payout) for call in provider.calls]
    assert called == [("look_up", sound.reference), ("pay", mutated.reference)]


def test_event_outside_transaction_writes_the_event_after_the_commit(
    mutate: Callable[[str], None], django_capture_on_commit_callbacks: Any
) -> None:
    payout, by = recipes.pending_payout(), recipes.person.make()

    mutate("event_outside_transaction")
    with django_capture_on_commit_callbacks(execute=True):
        actions.hold(payout.pk, by=by, reason="The card looks odd.")
        within = payout.events.count()

    assert (fresh(payout).version, within, payout.events.count()) == (2, 1, 2)


@pytest.mark.parametrize(("mutant", "recorded"), [("", 0), ("no_fencing", 1)])
def test_no_fencing_records_a_result_whose_lease_is_lost(
    mutate: Callable[[str], None], mutant: str, recorded: int
) -> None:
    payout = recipes.pending_payout()
    late = recipes.claimed(payout)
    recipes.claimed(payout)

    if mutant:
        mutate(mutant)

    assert actions.record_outcomes([(late, recipes.SUCCEEDED)]) == recorded


def test_no_watchdog_sends_heartbeats_and_misses_none(mutate: Callable[[str], None], settings: Any) -> None:
    settings.STALL_SECONDS = -1  # the first heartbeat is late as soon as it is sent

    sound, mutated = Progress("one"), Progress("two")

    before = supervisor.Pulse(sound).has_stopped()
    mutate("no_watchdog")

    assert (before, supervisor.Pulse(mutated).has_stopped()) == (True, False)
    assert sound.is_beat_waiting
    assert mutated.is_beat_waiting


@pytest.mark.parametrize(
    ("mutant", "status", "attention"),
    [
        ("", Status.PENDING, Attention.APPROVALS_MISSING),
        ("approvals_not_rechecked", Status.PROCESSED, Attention.NONE),
    ],
)
def test_approvals_not_rechecked_pays_what_nobody_approved(
    mutate: Callable[[str], None], provider: DoubleProvider, mutant: str, status: Status, attention: Attention
) -> None:
    payout = recipes.approved_payout()
    with unguarded("payouts_approval"):
        by_hand("DELETE FROM payouts_approval")

    if mutant:
        mutate(mutant)
    after = paid(payout, provider)

    assert (after.status, after.attention) == (status, attention)


def test_the_pauses_between_look_ups_are_those_that_the_launcher_sets(
    provider: DoubleProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "LOOK_AGAIN_SECONDS", (5_000,))
    payout = recipes.pending_payout()
    provider.script(Fault.TIMEOUT_AFTER)

    after = paid(payout, provider)

    assert after.due_at is not None
    assert timedelta(seconds=3_900) < after.due_at - timezone.now() < timedelta(seconds=6_100)
    assert payout.attempts.get().outcome == Attempt.Outcome.OPEN


def forgotten(payout: Payout, provider: DoubleProvider) -> None:
    """Paid, and the database does not know it."""
    with transaction.atomic():
        provider.pay(recipes.claimed(payout).instruction, deadline=0)
        transaction.set_rollback(True)


def test_random_keys_pay_twice_what_was_forgotten(mutate: Callable[[str], None], provider: DoubleProvider) -> None:
    sound = recipes.pending_payout()
    forgotten(sound, provider)
    paid(sound, provider)

    mutate("random_keys")
    mutated = recipes.pending_payout()
    forgotten(mutated, provider)
    paid(mutated, provider)

    assert [len(provider.paid(payout.reference)) for payout in (sound, mutated)] == [1, 2]


def test_no_recovery_mode_pays_without_asking(mutate: Callable[[str], None], provider: DoubleProvider) -> None:
    recovery.look()
    by_hand("UPDATE payouts_installation SET timeline = timeline + 1")

    before = recipes.claimed(recipes.pending_payout()).is_first_call
    mutate("no_recovery_mode")

    assert (before, recipes.claimed(recipes.pending_payout()).is_first_call) == (False, True)


def test_empty_search_believed_takes_a_payment_that_is_searched_too_early_for_none(
    mutate: Callable[[str], None],
) -> None:
    asked = answers.Asked(instruction(age=timedelta(seconds=1)), is_test=True, secret="s")

    def verdict() -> Verdict:
        return answers.read_search(asked, 200, b'{"type": "list", "items": []}').verdict

    before = verdict()
    mutate("empty_search_believed")

    assert (before, verdict()) == (Verdict.UNKNOWN, Verdict.ABSENT)


def test_long_key_life_trusts_a_key_that_is_forgotten(mutate: Callable[[str], None], settings: Any) -> None:
    settings.PROVIDER_KEY_TTL_SECONDS = 40

    before = registry.key_life(registry.UNNAMED)
    mutate("long_key_life")

    assert before == timedelta(seconds=40)
    assert registry.key_life(registry.UNNAMED) == timedelta(days=1)


def test_another_account_asks_the_first_about_what_was_sent_to_another(
    mutate: Callable[[str], None], settings: Any
) -> None:
    settings.PROVIDER_URL = ""
    settings.PROVIDERS = {"one": "http", "two": "http"}
    settings.PROVIDER_VALUES = {
        name: {"URL": f"http://127.0.0.1:{port}", "TOKEN": "t"} for name, port in (("one", 1), ("two", 2))
    }

    before = pump.get_provider("two").name
    mutate("another_account")

    assert (before, pump.get_provider("two").name) == ("two", "one")


def test_beyond_the_balance_sends_what_it_does_not_cover(mutate: Callable[[str], None], settings: Any) -> None:
    settings.PROVIDER_URL = ""
    settings.PROVIDERS = {"main": "yookassa"}
    settings.PROVIDER_VALUES = {"main": {"GATEWAY_ID": "500001", "SECRET": "live_canary_Zk3v9LqW7dR1"}}
    funds.note("main", [Balance("RUB", Decimal(1))], asked_at=timezone.now())
    recipes.pending_payout(recipient={"wallet": "41001614575714"})

    before = actions.claim(limit=1)
    recipes.make_due(Payout.objects.get())
    mutate("beyond_the_balance")

    assert (len(before), len(actions.claim(limit=1))) == (0, 1)


def test_dropped_success_keeps_nothing_of_a_result_whose_lease_is_lost(mutate: Callable[[str], None]) -> None:
    def kept() -> int:
        payout = recipes.pending_payout()
        late_one, second = recipes.claimed(payout), recipes.claimed(payout)
        actions.record_outcomes([(second, recipes.REFUSED)])
        actions.record_outcomes([(late_one, recipes.SUCCEEDED)])
        return payout.attempts.get().exchanges.count()

    before = kept()
    mutate("dropped_success")

    assert (before, kept()) == (2, 1)


def test_no_pinning_looks_up_and_sends_at_another_account(
    mutate: Callable[[str], None], provider: DoubleProvider, settings: Any
) -> None:
    sound, mutated = recipes.unknown_payout(), recipes.unknown_payout()
    settings.PROVIDER_ACCOUNT = "another"

    before = paid(sound, provider)
    mutate("no_pinning")
    after = paid(mutated, provider)

    assert (before.status, before.attention) == (Status.UNKNOWN, Attention.OTHER_ACCOUNT)
    assert (after.status, [call.instruction.payout for call in provider.calls]) == (
        Status.PROCESSED,
        [mutated.reference] * 2,
    )


def test_outliving_leases_stay_with_a_group_that_was_killed(mutate: Callable[[str], None]) -> None:
    def is_due_once_its_group_is_killed() -> bool:
        payout = recipes.pending_payout()
        watch = supervisor.Supervisor()
        actions.claim(limit=2, holder="one/a")
        watch._killed["one/a"] = 0.0
        watch._end_leases()
        return Payout.objects.due().filter(pk=payout.pk).exists()

    before = is_due_once_its_group_is_killed()
    mutate("outliving_leases")

    assert (before, is_due_once_its_group_is_killed()) == (True, False)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("FAILED leases 4 held\n       monitor: 4 still wait\n       sentinel: 3 still wait\n", 7),
        ("FAILED leases did not come to its end\n       Not in 300 seconds: all are called\n", 0),
    ],
)
def test_a_drill_catches_a_mutant_by_the_sentence_of_its_promise_alone(text: str, count: int) -> None:
    assert count_of("still wait", text) == count


@pytest.mark.parametrize(
    ("alarms", "broken", "exit_code"), [({}, {"x": 1}, CLEAN), ({"x": 1}, {"x": 1}, VIOLATED), ({}, {}, VIOLATED)]
)
def test_a_mutant_counts_only_where_its_drill_tells_it_from_the_sound_product(
    alarms: dict[str, int], broken: dict[str, int], exit_code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.campaign.__main__.false_alarms", lambda _mutants: alarms)
    monkeypatch.setattr("tests.campaign.__main__.broken_promises", lambda _mutant: broken)

    assert every_mutant(["no_pinning"]) == exit_code
