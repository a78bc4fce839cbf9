"""Late truths: what a provider says after we thought that we knew. Nothing heard is thrown away.

- A result whose lease was lost is kept as an exchange, and is news: the provider is asked (`keep`).
- A failed payout whose refusal is in doubt is looked up until the provider's own word settles it (`watched_move`): it
  was paid, and becomes processed; or it was not, and stays failed. What stays unclear is left to two people.

Nothing is sent meanwhile: rules.why_not_retry refuses what is being asked about.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings

from payouts.actions.claims import Assignment
from payouts.actions.moves import WORKER, Move, flagged
from payouts.actions.news import ask_again, doubt_refusal
from payouts.database import rows
from payouts.models import Attempt, Attention, EventName, Exchange, Payout, WebhookMessage
from payouts.providers import Answer, Verdict
from payouts.states import Status

log = structlog.get_logger(__name__)

# Money has left; or is on its way, as far as the provider knew.
PAID = (Verdict.SUCCEEDED, Verdict.RETURNED)
MAY_BE_PAID = (*PAID, Verdict.PENDING)
# After so many calls a person should know that a failed payout may have been paid: the last took an hour and a half.
DOUBTFUL_CALLS = 7


def keep(late: Sequence[tuple[Payout, Assignment, Answer]], *, at: datetime) -> None:
    """Keep results that came without their lease, and have the provider asked about them.

    The payouts are locked, sealed or not; of an altered one only the exchange is kept.
    """
    if not late:
        return
    references = [assignment.attempt.reference for _payout, assignment, _answer in late]
    attempts = {attempt.reference: attempt for attempt in Attempt.objects.filter(reference__in=references)}
    # A result may come twice: when the connection broke while its commit was under way.
    kept = set(Exchange.objects.filter(attempt__in=list(attempts.values())).values_list("attempt__reference", "call"))
    exchanges: list[Exchange] = []
    for payout, assignment, answer in late:
        called = assignment.attempt
        log.warning("result_late", payout=payout.pk, verdict=answer.verdict.value, provider_id=answer.provider_id)
        if (called.reference, called.calls) in kept:
            continue
        kept.add((called.reference, called.calls))
        exchanges.append(exchange(called, answer, at))
        if payout.is_sealed:
            _is_news(payout, attempts[called.reference], answer.verdict, at=at)
    rows.insert(exchanges)


def _is_news(payout: Payout, attempt: Attempt, verdict: Verdict, *, at: datetime) -> None:
    """Its own call may have paid after the answer that we believed, so nothing but a look-up shows what holds."""
    if attempt.outcome != Attempt.Outcome.REFUSED:
        if verdict != Verdict.ABSENT and (
            payout.status != Status.PROCESSED or verdict in (Verdict.REFUSED, Verdict.RETURNED)
        ):
            ask_again(payout, at=at, actor=WORKER)
    elif verdict in MAY_BE_PAID or (verdict == Verdict.UNKNOWN and payout.status == Status.FAILED):
        doubt_refusal(payout, attempt, at=at, actor=WORKER)


def exchange(attempt: Attempt, answer: Answer, at: datetime) -> Exchange:
    return Exchange(
        attempt=attempt,
        call=attempt.calls,
        called_at=attempt.last_called_at,
        answered_at=at,
        verdict=answer.verdict.value,
        http_status=answer.http_status,
        code=answer.code,
        message=answer.message,
        excerpt=answer.excerpt,
    )


def watched_move(
    payout: Payout, attempt: Attempt, answer: Answer, facts: dict[str, Any], at: datetime
) -> Move | None:
    """What the provider says of a failed payout whose refusal is in doubt."""
    match answer.verdict:
        case Verdict.SUCCEEDED | Verdict.RETURNED:
            return paid_after_all(payout, attempt, facts, at)
        case Verdict.REFUSED:
            is_settled = not payout.news_at
        case Verdict.ABSENT:
            is_settled = not (payout.news_at or _is_said_to_be_paid(attempt))
        case _:
            is_settled = False
    if is_settled:
        payout.due_at = None
        return None
    patience = settings.MAX_ATTEMPT_CALLS if answer.verdict == Verdict.PENDING else DOUBTFUL_CALLS
    if attempt.calls >= patience:
        return flagged(payout, Attention.CONTRADICTED, attempt)
    return None


def paid_after_all(payout: Payout, attempt: Attempt, facts: dict[str, Any], at: datetime) -> Move:
    attempt.outcome, attempt.finished_at = Attempt.Outcome.SUCCEEDED, at
    payout.processed_at = at
    payout.failure_code = payout.failure_message = ""
    return Move(payout, EventName.SUCCEEDED, Status.PROCESSED, facts)


def _is_said_to_be_paid(attempt: Attempt) -> bool:
    """Whether the provider has spoken of a payment, in an answer since the attempt was refused or in a webhook.

    Then a look-up that finds nothing contradicts it. Without such words it agrees with the refusal.
    """
    answered = attempt.exchanges.filter(answered_at__gt=attempt.finished_at, verdict__in=MAY_BE_PAID)
    heard = WebhookMessage.objects.filter(reference=attempt.reference, reported__in=PAID)
    return answered.exists() or heard.exists()
