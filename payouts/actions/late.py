"""Late truths: what a provider says after we thought that we knew. Nothing heard is thrown away.

- A result whose lease was lost is kept as an exchange, and is news: the provider is asked (`keep`).
- A failed payout whose refusal is in doubt is looked up until the provider's own word settles it (`watched_move`): it
  was paid, and becomes processed; or it was not, and stays failed. What stays unclear is left to two people.
- A new attempt is not sent when an earlier key turns out to have been paid: it ends as refused, the earlier one
  succeeds, and the payout is processed (`paid_earlier`).

Nothing is sent meanwhile: rules.why_not_retry refuses what is being asked about.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import F

from payouts.actions import archive
from payouts.actions.assignments import Assignment
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
EARLIER = "earlier_attempt"  # the code of an exchange that was about an earlier attempt: nothing was sent
PAID_EARLIER = "paid_earlier"  # of an attempt that was never sent, because an earlier one had paid
# After so many calls a person should know that a failed payout may have been paid: the last took an hour and a half.
DOUBTFUL_CALLS = 7


def keep(late: Sequence[tuple[Payout, Assignment, Answer]], *, at: datetime) -> None:
    """Keep results that came without their lease, and have the provider asked about them.

    The payouts are locked, sealed or not; of an altered one only the exchange is kept.
    """
    if not late:
        return
    references = {answer.about or assignment.attempt.reference for _payout, assignment, answer in late}
    archive.bring_back([payout for payout, _assignment, _answer in late])
    references |= {assignment.attempt.reference for _payout, assignment, _answer in late}
    attempts = {attempt.reference: attempt for attempt in Attempt.objects.filter(reference__in=references)}
    # A result may come twice: when the connection broke while its commit was under way.
    kept = set(Exchange.objects.filter(attempt__in=list(attempts.values())).values_list("attempt__reference", "call"))
    exchanges: list[Exchange] = []
    for payout, assignment, answer in late:
        called = assignment.attempt
        log.warning("result_late", payout=payout.pk, verdict=answer.verdict.value, provider_id=answer.provider_id)
        if called.reference not in attempts:
            log.error("result_of_another_database", payout=payout.pk)  # which was put back meanwhile
            continue
        if (called.reference, called.calls) in kept:
            continue
        kept.add((called.reference, called.calls))
        exchanges.append(exchange(called, answer, at))
        if payout.is_sealed:
            _is_news(payout, attempts.get(answer.about or called.reference, called), answer.verdict, at=at)
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
        code=EARLIER if answer.about else answer.code,
        message=answer.message,
        excerpt=answer.excerpt,
    )


def watched_move(payout: Payout, assignment: Assignment, answer: Answer, at: datetime) -> Move | None:
    """What the provider says of a failed payout whose refusal is in doubt: the last attempt's or an earlier one's."""
    attempt, known = spoken_of(assignment, answer), [*assignment.earlier, assignment.attempt]
    if answer.verdict in PAID:
        return paid_after_all(payout, attempt, answer, at)
    said = _said_to_be_paid(known)
    if answer.verdict == Verdict.REFUSED:
        said.discard(attempt.reference)
    if answer.verdict in (Verdict.REFUSED, Verdict.ABSENT) and not (said or payout.news_at):
        payout.due_at = None
        return None
    patience = settings.MAX_ATTEMPT_CALLS if answer.verdict == Verdict.PENDING else DOUBTFUL_CALLS
    if assignment.attempt.calls >= patience:
        in_doubt = next((each for each in known if each.reference in said), attempt)
        return flagged(payout, Attention.CONTRADICTED, in_doubt)
    return None


def paid_earlier(payout: Payout, assignment: Assignment, answer: Answer, at: datetime) -> list[Move]:
    """Two moves: the attempt that was kept back ends as refused, and the earlier one has paid.

    If the attempt may have been sent before, nobody knows how often it was paid: then it is for people.
    """
    kept_back, earlier = assignment.attempt, spoken_of(assignment, answer)
    told = Exchange.objects.filter(attempt__reference=kept_back.reference, code=EARLIER).count()
    if told < kept_back.calls - 1:
        return [flagged(payout, Attention.CONTRADICTED, earlier)]
    kept_back.outcome, kept_back.finished_at = Attempt.Outcome.REFUSED, at
    kept_back.last_code = PAID_EARLIER
    facts = {"attempt": str(kept_back.reference), "call": kept_back.calls, "code": PAID_EARLIER}
    return [
        Move(payout, EventName.REFUSED, Status.FAILED, facts),
        paid_after_all(payout, earlier, answer, at),
    ]


def paid_after_all(payout: Payout, attempt: Attempt, answer: Answer, at: datetime) -> Move:
    attempt.outcome, attempt.finished_at = Attempt.Outcome.SUCCEEDED, at
    attempt.provider_id = answer.provider_id or attempt.provider_id
    payout.processed_at = at
    payout.failure_code = payout.failure_message = ""
    facts = {"attempt": str(attempt.reference)}
    if answer.provider_id:
        facts["provider_id"] = answer.provider_id
    return Move(payout, EventName.SUCCEEDED, Status.PROCESSED, facts)


def spoken_of(assignment: Assignment, answer: Answer) -> Attempt:
    """The attempt that the answer is about."""
    known = {attempt.reference: attempt for attempt in assignment.earlier}
    return known[answer.about] if answer.about else assignment.attempt


def _said_to_be_paid(attempts: Sequence[Attempt]) -> set[UUID]:
    """Those that the provider spoke of as paid, in an answer since the attempt was refused or in a webhook.

    Then a look-up that finds nothing contradicts it. Without such words it agrees with the refusal.
    """
    answered = Exchange.objects.filter(
        attempt__in=attempts, answered_at__gt=F("attempt__finished_at"), verdict__in=MAY_BE_PAID
    ).exclude(code=EARLIER)
    keys = [attempt.reference for attempt in attempts]
    heard = WebhookMessage.objects.filter(reference__in=keys, reported__in=PAID)
    said = {*answered.values_list("attempt__reference", flat=True), *heard.values_list("reference", flat=True)}
    return {key for key in keys if key in said}
