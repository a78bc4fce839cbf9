"""A payout as the API tells it. The list has the public fields alone; the rest is for whoever asks for one."""

from typing import Any

from django.http import HttpResponse

from payouts import strict_json
from payouts.api import rows
from payouts.api.schemas import PUBLIC_FIELDS
from payouts.api.status_detail import approval_reasons, status_detail
from payouts.models import Payout
from payouts.states import FINAL


def answer(content: object, *, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    return HttpResponse(
        strict_json.dumps(content), status=status, content_type="application/json", headers=headers or {}
    )


def one(payout: Payout) -> dict[str, Any]:
    """The public payout with why it is where it is. It may come from `rows.one`, which reads no more than this."""
    reasons = approval_reasons(payout, rows.asked_by(payout))
    has_failed = bool(payout.failure_code)
    return {
        **{name: getattr(payout, name) for name in PUBLIC_FIELDS},
        "version": payout.version,
        "approvals": {
            "required": payout.approvals_required,
            "given": payout.approvals_given,
            "reasons": reasons,
        },
        "failure": {"code": payout.failure_code, "message": payout.failure_message} if has_failed else None,
        "final": payout.status in FINAL,
        "status_detail": status_detail(payout, reasons),
    }


def full(payout: Payout, recipient: dict[str, Any]) -> dict[str, Any]:
    """The same with the comment and the recipient, which the caller gives in clear or masked."""
    return {**one(payout), "recipient_details": recipient, "comment": payout.comment}
