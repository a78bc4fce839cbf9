"""Ask the providers about payments that unsigned webhooks spoke of and that we do not know."""

from payouts.actions import pauses, unsigned_news, wrong_accounts
from payouts.jobs import Stop, never
from payouts.models import UnsignedNews
from payouts.providers import Answer, Payment, registry
from payouts.providers.asking import ask, deadline

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


def _answer(news: UnsignedNews) -> Payment | Answer:
    return ask(
        news.account,
        registry.payment_of,
        lambda provider: provider.payment(news.provider_id, deadline=deadline(ANSWER_SECONDS)),
        call="payment",
    )
