"""Why a payout is where it is, in a sentence for the API client that submitted it.

It says what is waited for and names nobody: no staff, none of their reasons, nothing that other clients did. It is
made from the payout's row alone, so it does not tell whether the provider answers just now.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from payouts.models import RESOLVED_BY_HAND, WAITS_FOR_FUNDS, WAITS_FOR_LIMIT, Payout, ReviewFlag
from payouts.providers.messages import translated
from payouts.states import Stage

type ReasonCode = Literal["amount", "possible_duplicate", "card_checksum", "iban_checksum", "review"]

# What lies in the client's own requests. The other flags count what all clients paid: they are a plain review to it.
OWN_FLAGS: dict[str, tuple[ReasonCode, Any]] = {
    ReviewFlag.POSSIBLE_DUPLICATE: (
        "possible_duplicate",
        gettext_lazy(
            "The same amount for the same recipient and user came in within ten minutes before, and this payout has"
            " no Idempotency-Key."
        ),
    ),
    ReviewFlag.CARD_CHECKSUM: ("card_checksum", gettext_lazy("The card number fails its checksum.")),
    ReviewFlag.IBAN_CHECKSUM: ("iban_checksum", gettext_lazy("The IBAN fails its checksum.")),
}
REVIEW: tuple[ReasonCode, Any] = ("review", gettext_lazy("Staff review it before it is paid."))


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a payout needs approvals: a code for programs and a sentence for people."""

    code: ReasonCode
    detail: str


def approval_reasons(payout: Payout, asked_by: Sequence[str]) -> list[Reason]:
    """Why it needs its approvals: by its amount, and by the review flags that asked for one more. May be empty."""
    reasons = []
    if payout.approvals_required > bool(asked_by):
        reasons.append(Reason("amount", _("Payouts of this amount need approval.")))
    told = dict(OWN_FLAGS.get(flag, REVIEW) for flag in asked_by)
    return [*reasons, *(Reason(code, str(detail)) for code, detail in told.items())]


def status_detail(payout: Payout, reasons: Sequence[Reason]) -> str:
    """What the payout waits for, or how it ended, in the caller's language. `reasons` are those of its approvals."""
    match payout.stage:
        case Stage.HELD if payout.attention:
            return _("Staff must look at it before it is paid.")
        case Stage.HELD:
            return _("Staff have put it on hold. It continues when they release it.")
        case Stage.AWAITING_APPROVAL:
            return _sentences(_approvals(payout), *(reason.detail for reason in reasons))
        case Stage.SCHEDULED:
            return _("It is sent to the provider at %(at)s or soon after.") % {"at": _utc(payout.not_before)}
        case Stage.READY if payout.waits_for.startswith(WAITS_FOR_LIMIT):
            return _("It waits, because a limit for what is sent is reached. It goes on by itself, or by staff.")
        case Stage.READY if payout.waits_for.startswith(WAITS_FOR_FUNDS):
            return _("It waits for funds in the account that pays it. It goes on by itself.")
        case Stage.READY:
            return _("It is ready to be sent to the provider.")
        case Stage.PROCESSING:
            sent = _("It was sent to the provider, and how it ended is not known yet.")
            return _sentences(sent, _in_doubt() if payout.attention else "")
        case Stage.UNKNOWN:
            return _sentences(
                _("Nobody knows yet whether it was paid. Do not pay it in another way."),
                _("Staff are finding out.") if payout.attention else _("The provider is asked until it answers."),
            )
        case Stage.PROCESSED:
            paid = _("It was paid at %(at)s.") % {"at": _utc(payout.processed_at)}
            return _sentences(paid, _("Staff are checking this with the provider.") if payout.attention else "")
        case Stage.FAILED if payout.attention or payout.due_at:
            return _sentences(_refusal(payout), _in_doubt())
        case Stage.FAILED:
            again = _("Staff may send it again: ask them before you pay it in another way.")
            return _sentences(_refusal(payout), _("No money has left."), again)
        case Stage.REJECTED:
            return _closed(_("Staff rejected it."), payout)
        case Stage.CANCELLED:
            return _closed(_("It was cancelled."), payout)
        case Stage.RETURNED:
            return _("It was paid, and the bank gave the money back.")


def _approvals(payout: Payout) -> str:
    missing = payout.approvals_required - payout.approvals_given
    waits = ngettext("Waits for %(count)s approval by staff.", "Waits for %(count)s approvals by staff.", missing)
    return waits % {"count": missing}


def _closed(how: str, payout: Payout) -> str:
    return _sentences(how, _in_doubt() if payout.attention else _("No money has left."))


def _in_doubt() -> str:
    """For what needs attention: an earlier attempt, recorded as refused, may have been paid after all."""
    return _("Staff are finding out whether it was paid. Do not pay it in another way.")


def _refusal(payout: Payout) -> str:
    if payout.failure_code == RESOLVED_BY_HAND:
        return _("Two people found that it was not paid.")
    refusal = ": ".join(part for part in (payout.failure_code, translated(payout.failure_message)) if part)
    return _("The provider refused it (%(refusal)s).") % {"refusal": refusal.rstrip(".")}


def _sentences(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def _utc(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""
