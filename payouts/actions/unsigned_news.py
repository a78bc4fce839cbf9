"""Unsigned news of payments that we do not know: whoever reaches our address could make them up, so the provider is
asked by the payment's id before people are told (unknown_payments.py)."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import structlog
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from django_q.tasks import async_task

from payouts.actions import unknown_payments
from payouts.actions.unknown_payments import Heard
from payouts.models import Attempt, UnknownPayment, UnsignedNews
from payouts.providers import Answer, Payment, Verdict

log = structlog.get_logger(__name__)

TASK = "payouts.tasks.ask_about_news"
AT_ONCE = 50
# More than any provider has to tell at once. What is dropped is still in the provider's list of payments.
KEPT = 10_000
# Until it is asked again, by the times that it was asked in vain; the last from then on.
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240))
# Then people are told what was said, for the provider says nothing.
IN_VAIN = timedelta(days=3)


def keep(heard: Heard, *, provider: str) -> None:
    """Have the provider asked about a payment that has an id; what was refused, for which no money left, is let go.

    In the present transaction.
    """
    if heard.reported == Verdict.REFUSED:
        return
    if UnsignedNews.objects.count() >= KEPT:
        log.error("unsigned_news_dropped", account=provider, provider_id=heard.provider_id)
        return
    was_due = is_anything()
    UnsignedNews.objects.bulk_create(
        [
            UnsignedNews(
                account=provider,
                provider_id=heard.provider_id,
                reference=heard.reference,
                reported=heard.reported.value,
                amount=heard.amount,
                currency=heard.currency,
                message_id=heard.detail,
            )
        ],
        ignore_conflicts=True,
    )
    if not was_due:
        ring()


def ring() -> None:
    async_task(TASK)


def is_anything() -> bool:
    """Whether there is anything to ask now."""
    return UnsignedNews.objects.filter(ask_at__lte=Now()).exists()


def take() -> Iterator[UnsignedNews]:
    """What is due now, AT_ONCE at most, each by one worker; it comes again after a pause unless it is settled."""
    for news in UnsignedNews.objects.filter(ask_at__lte=Now()).order_by("ask_at", "pk")[:AT_ONCE]:
        pause = PAUSES[min(news.asked, len(PAUSES) - 1)]
        free = UnsignedNews.objects.filter(pk=news.pk, ask_at=news.ask_at)
        if free.update(ask_at=Now() + pause, asked=F("asked") + 1):
            yield news


def settle(news: UnsignedNews, answer: Payment | Answer | None) -> None:
    """Tell people of a payment that the provider has and we do not, and forget what it has not; else ask again.

    None: the account is not called.
    """
    said = {"account": news.account, "provider_id": news.provider_id, "attempt": str(news.reference)}
    with transaction.atomic():
        if isinstance(answer, Payment):
            _compare(news, answer)
        elif answer and answer.verdict == Verdict.ABSENT:
            log.warning("unsigned_news_untrue", **said)
        elif timezone.now() - news.heard_at < IN_VAIN:
            log.warning("unsigned_news_not_confirmed", code=answer.code if answer else "", **said)
            return
        else:
            _tell(news, Verdict(news.reported), news.amount, news.currency)
        UnsignedNews.objects.filter(pk=news.pk).delete()


def _compare(news: UnsignedNews, payment: Payment) -> None:
    """What the provider says counts, the reference too."""
    if payment.reference is None:
        log.warning("unsigned_news_of_others", account=news.account, provider_id=news.provider_id)
        return
    if not Attempt.objects.filter(reference=payment.reference, provider=news.account).exists():
        news.reference = payment.reference
        _tell(news, payment.verdict, payment.amount, payment.currency)


def _tell(news: UnsignedNews, verdict: Verdict, amount: Decimal | None, currency: str) -> None:
    heard = Heard(news.reference, verdict, amount, currency, news.provider_id, detail=news.message_id)
    unknown_payments.note([heard], provider=news.account, source=UnknownPayment.Source.WEBHOOK)
