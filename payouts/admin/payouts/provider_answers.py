"""What is known of a payout that was sent: what the provider was asked and answered, and when it is asked again."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payouts.admin.kit import format
from payouts.models import Attempt, Exchange, Payout, WebhookMessage
from payouts.providers import Verdict
from payouts.providers.messages import translated

SHOWN = 50

VERDICTS = {
    Verdict.SUCCEEDED: gettext_lazy("paid"),
    Verdict.PENDING: gettext_lazy("under way"),
    Verdict.REFUSED: gettext_lazy("refused"),
    Verdict.RETURNED: gettext_lazy("returned"),
    Verdict.ABSENT: gettext_lazy("not found"),
    Verdict.UNKNOWN: gettext_lazy("not clear"),
}


def about(payout: Payout, attempts: Sequence[Attempt], *, is_paused: bool) -> list[tuple[str, str]]:
    """Of an unknown outcome: labels and texts. `is_paused` says that a person has stopped all calls."""
    if not attempts:
        return []
    attempt = attempts[-1]
    answer = ": ".join(part for part in (attempt.last_code, translated(attempt.last_message)) if part)
    facts = [
        (_("Sent"), format.exact_time(attempt.created_at)),
        (_("Key at the provider"), str(attempt.reference)),
        (_("Provider's ID"), attempt.provider_id or _("none given")),
        (_("Last asked"), format.exact_time(attempt.last_called_at)),
        (_("Last answer"), answer or _("no clear answer")),
        (
            _("Asked so far"),
            _("%(count)s of %(limit)s times; after that a person must find out")
            % {"count": attempt.calls, "limit": settings.MAX_ATTEMPT_CALLS},
        ),
        (_("Asked again"), _asked_again(payout, is_paused=is_paused)),
        (_("The same key may be sent again"), _resendable(attempt)),
    ]
    return [(label, text) for label, text in facts if text]


def _asked_again(payout: Payout, *, is_paused: bool) -> str:
    if payout.due_at is None:
        return _("never: a person must decide")
    if is_paused:
        return _("when the provider is resumed")
    if payout.due_at <= timezone.now():
        return _("now")
    return format.exact_time(payout.due_at)


def _resendable(attempt: Attempt) -> str:
    if attempt.resolutions.exists():
        return _("no: a person has given evidence")
    if attempt.key_expires_at <= timezone.now():
        return _("no: the provider may have forgotten the key")
    return _("until %(at)s, if the provider has no record of it") % {"at": format.exact_time(attempt.key_expires_at)}


def exchanges(attempts: Sequence[Attempt], answers: Sequence[Exchange]) -> list[dict[str, Any]]:
    """The last SHOWN answers of the provider, newest first."""
    numbers = {attempt.reference: attempt.number for attempt in attempts}
    found = sorted(answers, key=lambda answer: answer.answered_at, reverse=True)[:SHOWN]
    return [
        {
            "attempt": numbers[exchange.attempt_id],
            "call": exchange.call,
            "called": format.exact_time(exchange.called_at),
            "took": f"{(exchange.answered_at - exchange.called_at).total_seconds():.1f}",
            "verdict": _verdict(exchange.verdict),
            "http_status": exchange.http_status or "",
            "answer": ": ".join(part for part in (exchange.code, translated(exchange.message)) if part),
            "excerpt": exchange.excerpt,
        }
        for exchange in found
    ]


def webhooks(attempts: Sequence[Attempt]) -> list[dict[str, Any]]:
    """The last SHOWN messages about these attempts, newest first; they are kept for two weeks."""
    numbers = {attempt.reference: attempt.number for attempt in attempts}
    found = WebhookMessage.objects.filter(reference__in=numbers).order_by("-received_at")[:SHOWN]
    return [
        {
            "attempt": numbers[message.reference],
            "received": format.exact_time(message.received_at),
            "reported": _verdict(message.reported),
            "message_id": message.message_id,
        }
        for message in found
        if message.reference is not None
    ]


def _verdict(value: str) -> str:
    return str(VERDICTS[Verdict(value)]) if value in VERDICTS else value
