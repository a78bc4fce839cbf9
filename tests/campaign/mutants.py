"""One mechanism broken each, in every process of the web server and of the clusters. The campaign must catch each.

Patched from outside, in memory, by launch.py; nothing of the product knows of it. plan.py lists them.
"""

import dataclasses
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from payouts import actions, references, tasks
from payouts.actions import assignments, claims, funds, late, moves, recovery, velocity
from payouts.database import rows
from payouts.models import Attempt, Attention, Event, EventName, Payout, sealed_sets
from payouts.providers import Verdict, registry
from payouts.providers.yookassa import answers
from payouts.states import Status
from payouts.worker import pump, supervisor

OLD_SECONDS: Final = 8


def new_key_per_call() -> None:
    """Every call has a key of its own."""
    sound = assignments._assignment

    def assignment(*given: Any, **named: Any) -> actions.Assignment:
        made = sound(*given, **named)
        return dataclasses.replace(made, instruction=dataclasses.replace(made.instruction, reference=uuid.uuid4()))

    assignments._assignment = assignment


def failing_by_age() -> None:
    """What is not known for some seconds counts as failed."""
    sound = actions.claim

    def claim(*, limit: int, **named: Any) -> list[actions.Assignment]:
        _fail_old()
        return sound(limit=limit, **named)

    actions.claim = claim


def _fail_old() -> None:
    with transaction.atomic():
        old = list(
            Payout.objects.select_for_update(skip_locked=True).filter(
                status__in=(Status.PROCESSING, Status.UNKNOWN),
                updated_at__lt=timezone.now() - timedelta(seconds=OLD_SECONDS),
            )
        )
        at = timezone.now()
        made = []
        for payout in old:
            attempt = payout.attempts.get(outcome=Attempt.Outcome.OPEN)
            attempt.outcome, attempt.finished_at = Attempt.Outcome.REFUSED, at
            attempt.save(update_fields=["outcome", "finished_at"])
            payout.attention = Attention.NONE
            facts = {"attempt": str(attempt.reference), "code": "too_old"}
            made.append(moves.Move(payout, EventName.REFUSED, Status.FAILED, facts))
        moves.move_all(made, at=at, actor=moves.WORKER)


def timeout_as_failure() -> None:
    """An outcome that is not known is recorded as a refusal."""
    sound = actions.record_outcomes

    def record_outcomes(outcomes: Sequence[Any]) -> int:
        return sound(
            [
                (
                    assignment,
                    dataclasses.replace(answer, verdict=Verdict.REFUSED)
                    if answer.verdict == Verdict.UNKNOWN
                    else answer,
                )
                for assignment, answer in outcomes
            ]
        )

    actions.record_outcomes = record_outcomes


def ignore_idempotency_key() -> None:
    """The client's key is dropped."""
    sound = actions.submit

    def submit(*, idempotency_key: str | None = None, **named: Any) -> Payout:
        return sound(**named)

    actions.submit = submit


def no_sweep() -> None:
    """The sweep gives the sign of life, and rings for nothing."""
    sound = tasks.sweep

    def sweep(cluster: str = "") -> None:
        ring, tasks.doorbell.ring = tasks.doorbell.ring, lambda: None
        try:
            sound(cluster)
        finally:
            tasks.doorbell.ring = ring

    tasks.sweep = sweep


def post_past_ttl() -> None:
    """An attempt whose key is past its TTL is sent again, without looking up."""
    sound = assignments._assignment

    def assignment(payout: Payout, attempt: Attempt, **named: Any) -> actions.Assignment:
        if attempt.key_expires_at < timezone.now():
            named |= {"is_first_call": True, "may_post": True}
        return sound(payout, attempt, **named)

    assignments._assignment = assignment


def event_outside_transaction() -> None:
    """The events of a move are written after its rows are committed."""
    sound = rows.insert

    def insert(*batches: Any) -> None:
        events = [batch for batch in batches if batch and isinstance(batch[0], Event)]
        sound(*[batch for batch in batches if batch not in events])
        transaction.on_commit(lambda: sound(*events))

    rows.insert = insert


def no_fencing() -> None:
    """A result is accepted with any token."""
    sound = actions.record_outcomes

    def record_outcomes(outcomes: Sequence[Any]) -> int:
        tokens = dict(
            Payout.objects.filter(pk__in=[assignment.payout_id for assignment, _answer in outcomes]).values_list(
                "pk", "lease_token"
            )
        )
        return sound(
            [
                (dataclasses.replace(assignment, lease_token=tokens[assignment.payout_id]), answer)
                for assignment, answer in outcomes
            ]
        )

    actions.record_outcomes = record_outcomes


def no_watchdog() -> None:
    """Heartbeats are sent, and nobody minds when they stop."""
    sound = supervisor.Pulse.has_stopped

    def has_stopped(self: supervisor.Pulse) -> bool:
        sound(self)
        return False

    supervisor.Pulse.has_stopped = has_stopped


def approvals_not_rechecked() -> None:
    """Before paying, the row's own count of approvals is believed."""
    sound = claims.payment_problem

    def problem(*given: Any) -> Attention | None:
        found = sound(*given)
        return None if found == Attention.APPROVALS_MISSING else found

    claims.payment_problem = problem


def random_keys() -> None:
    """References are random, so what is forgotten gets another key."""
    references.payout_reference = lambda *_of: uuid.uuid4()
    references.attempt_reference = lambda *_of: uuid.uuid4()


def no_recovery_mode() -> None:
    """Nobody looks at what the database is."""
    recovery.look = recovery.Finding


def no_velocity_limit() -> None:
    """What is ready is sent, however much it is."""
    velocity.admit = lambda _payouts: {}


def no_dual_control() -> None:
    """One person changes the configuration."""
    settings.DUAL_CONTROL = False


def unsealed_configuration() -> None:
    """Bands, rules and limits are believed as they stand."""
    sealed_sets.verified_by = lambda name, _version, _seal: sealed_sets._rows(name)
    sealed_sets._fits = lambda _seal: True


def empty_search_believed() -> None:
    """A search that finds nothing is believed at once."""
    answers.SEARCH_LAG = timedelta(0)


def long_key_life() -> None:
    """A provider is trusted to remember keys for longer than it does."""
    registry.key_life = lambda _name: timedelta(days=1)


def dropped_success() -> None:
    """A result whose lease was lost is thrown away."""
    late.keep = lambda *_results, **_named: None


def no_pinning() -> None:
    """An attempt is looked up and sent at whatever account the settings name."""
    claims._is_elsewhere = lambda _attempt: False


def another_account() -> None:
    """An attempt is looked up and sent at the account that the settings name first."""
    sound = pump.get_provider
    pump.get_provider = lambda _name: sound(registry.default())


def beyond_the_balance() -> None:
    """What is ready is sent, whatever the balance."""
    funds.admit = lambda _payouts: {}


def outliving_leases() -> None:
    """The leases of a group that was killed end by themselves alone."""
    actions.end_leases = lambda _holder: 0
