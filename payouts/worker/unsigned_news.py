"""Ask the providers about payments that unsigned webhooks spoke of and that we do not know."""

import time

import structlog
from django.conf import settings

from payouts.actions import pauses, unsigned_news, wrong_accounts
from payouts.jobs import Stop, never
from payouts.models import UnsignedNews
from payouts.providers import Answer, Payment
from payouts.providers.registry import UnknownProviderError, payment_of

log = structlog.get_logger(__name__)

# Nothing waits for the answer.
ANSWER_SECONDS = 5


def ask_providers(*, must_stop: Stop = never) -> None:
    """One call each, one after another, outside any transaction. Accounts that people have paused are not called."""
    if must_stop():
        return
    paused = set(pauses.paused_providers())
    for news in unsigned_news.take():
        answer = None if news.account in paused else _answer(news)
        if isinstance(answer, Answer):
            wrong_accounts.note([(news.account, answer)])
        unsigned_news.settle(news, answer)
        if must_stop():
            return


def _answer(news: UnsignedNews) -> Payment | Answer | None:
    """None where nobody can be asked."""
    deadline = time.monotonic() + min(settings.PROVIDER_TIMEOUT_SECONDS, ANSWER_SECONDS)
    try:
        return payment_of(news.account).payment(news.provider_id, deadline=deadline)
    except (UnknownProviderError, ValueError) as error:
        log.warning("news_not_asked_about", account=news.account, reason=str(error))
    except Exception:
        log.exception("provider_adapter_failed", provider=news.account)
    return None
