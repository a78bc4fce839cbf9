"""A payout's page: what it is, why it is there, what happened to it. Nothing on it can be edited."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from payouts import approvers, money
from payouts.actions import breaker, pauses
from payouts.actions.verbs import VERBS
from payouts.admin.kit import format
from payouts.admin.kit.view_only import ViewOnlyAdmin
from payouts.admin.kit.worker_pages import SnapshotMixin
from payouts.admin.payouts import duplicates, let_go, provider_answers, queues
from payouts.admin.payouts.next_step import next_step, next_word
from payouts.admin.payouts.timeline import timeline
from payouts.admin.payouts.verbs import may, standing
from payouts.models import (
    Approval,
    Attempt,
    Bank,
    BatchRow,
    BundleError,
    Event,
    EventName,
    History,
    Payout,
    history_of,
)
from payouts.plain_text import key_without_cards, without_cards
from payouts.providers.messages import translated
from payouts.recipients import name_and_account
from payouts.states import OPEN, Stage, Status
from payouts.vault import masked_text

log = structlog.get_logger(__name__)

# A payout that has just been let go is paid within a second or two: its page looks again by itself for so long.
REFRESHED_FOR = timedelta(minutes=1)


class PayoutPage(SnapshotMixin, ViewOnlyAdmin):
    fields = ()
    change_form_template = "admin/payouts/payout/change_form.html"

    def page(self, request: HttpRequest, payout: Payout) -> dict[str, Any]:
        history, archived = _history(payout)
        events = history.events
        attempts = list(payout.attempts.order_by("number"))
        approvals = list(payout.approvals.select_related("checker", "attempt").order_by("at"))
        is_under_way = payout.stage in (Stage.READY, Stage.PROCESSING, Stage.UNKNOWN)
        is_paused = is_under_way and payout.provider in pauses.paused_providers()
        return {
            "payout": payout,
            "has_add_permission": False,  # a new payout begins at the list
            **_head(payout, events),
            "known": (
                provider_answers.about(payout, attempts, is_paused=is_paused)
                if payout.status == Status.UNKNOWN
                else []
            ),
            "blocked": approvers.missing_approvers(payout) or "",
            "batch": BatchRow.objects.filter(payout=payout)
            .select_related("batch")
            .only("number", "batch__name")
            .first(),
            "step": next_step(
                payout,
                who=standing(request, payout),
                attempts=attempts,
                approvals=approvals,
                may_approve=may(request, VERBS["approve"]),
                is_silent=is_under_way and payout.provider in breaker.open_providers(),
                is_paused=is_paused,
            ),
            "open_proposals": [proposal] if (proposal := let_go.about(payout)) else [],
            "facts": _facts(payout, attempts, archived),
            "recipient": list(format.recipient_lines(_with_bank(payout.recipient_masked))),
            "flags": duplicates.review_flags(payout) if payout.status in OPEN else [],
            "timeline": timeline(events),
            "attempts": [_attempt(attempt, payout.currency) for attempt in attempts],
            "exchanges": provider_answers.exchanges(attempts, history.exchanges),
            "webhooks": provider_answers.webhooks(attempts),
            "approvals": [_approval(approval) for approval in approvals],
        }


def _history(payout: Payout) -> tuple[History, str]:
    """What happened, and since when that is archived; nothing, where the archive is not what was sealed."""
    try:
        history = history_of(payout)
    except BundleError as error:
        log.error("archived_altered", payouts=[payout.pk], reason=str(error))
        return History(), _("The archived history was changed outside the product: run the audit.")
    return history, format.exact_time(history.archived_at)


def _with_bank(masked: Any) -> Any:
    """The masked recipient, with the listed name of its bank's ID, whatever its client calls the bank."""
    shown = masked.get("bank_id") if isinstance(masked, dict) else None
    if not shown:
        return masked
    names = {name for bank_id, name in Bank.objects.offered().names.items() if masked_text(bank_id) == shown}
    return {**masked, "bank_id": f"{shown} ({names.pop()})"} if len(names) == 1 else masked


def _head(payout: Payout, events: Sequence[Event]) -> dict[str, Any]:
    """Amount, stage, recipient, and how long it waits or took, against the target."""
    name, account = name_and_account(payout.recipient_masked)
    waits = payout.status in OPEN
    # A reveal is an event too, but it ends nothing.
    moves = [event.at for event in events if event.from_status != event.to_status]
    now = timezone.now()
    began_at = payout.held_at or moves[-1] if waits and moves else payout.created_at
    spent = (now if waits or not moves else moves[-1]) - began_at
    is_under_way = payout.stage in (Stage.READY, Stage.PROCESSING)
    return {
        "is_about_to_change": is_under_way and now - payout.updated_at < REFRESHED_FOR,
        "number": str(payout.pk),
        "amount": format.amount(payout),
        "stage_badge": format.stage_badge(payout.stage),
        "recipient_name": name,
        "recipient_account": account,
        "waiting_label": _("Waiting") if waits else _("Took"),
        "waiting": queues.against_target(payout.stage, spent),
        "is_late": queues.is_overdue(payout.stage, spent),
        "next_word": next_word(payout),
        "created": format.exact_time(payout.created_at),
    }


def _attempt(attempt: Attempt, currency: str) -> dict[str, Any]:
    return {
        "fee": _fee(attempt, currency),
        "attempt": attempt,
        "outcome": attempt.get_outcome_display(),
        "last_message": translated(attempt.last_message),
        "began": format.exact_time(attempt.created_at),
        "called": format.exact_time(attempt.last_called_at),
        "finished": format.exact_time(attempt.finished_at),
    }


def _approval(approval: Approval) -> dict[str, Any]:
    decision = {
        Approval.Decision.APPROVE: EventName.APPROVED.label,
        Approval.Decision.WITHDRAW: EventName.APPROVAL_WITHDRAWN.label,
    }.get(Approval.Decision(approval.decision), approval.get_decision_display())
    return {"approval": approval, "decision": decision, "at": format.exact_time(approval.at)}


def _fee(attempt: Attempt, currency: str) -> str:
    return "" if attempt.fee is None else money.shown(attempt.fee, currency)


def _erasure(payout: Payout) -> str:
    """When the recipient was erased, by whom and why; empty while the recipient is there."""
    if not (key := payout.erasure):
        return ""
    return f"{format.exact_time(key.erased_at)} · {' · '.join(key.erased_by)}: {key.reason}"


def _facts(payout: Payout, attempts: Sequence[Attempt], archived: str) -> list[tuple[str, str]]:
    facts = [
        (_("ID"), str(payout.pk)),
        (_("Reference"), str(payout.reference)),
        (_("Status"), str(payout.get_status_display())),
        (_("API client"), payout.client.name if payout.client else ""),
        (_("Maker"), payout.maker.get_username() if payout.maker else ""),
        (_("User ID"), str(payout.user_id)),
        (_("Provider"), payout.provider),
        (_("Comment"), without_cards(payout.comment)),
        (_("Recipient erased"), _erasure(payout)),
        (_("Approvals"), f"{payout.approvals_given} / {payout.approvals_required}"),
        (_("Scheduled for"), format.exact_time(payout.scheduled_for)),
        (_("Approval can be withdrawn until"), format.exact_time(payout.release_at)),
        (_("Failure"), ": ".join(part for part in (payout.failure_code, translated(payout.failure_message)) if part)),
        (_("Needs attention"), str(payout.get_attention_display()) if payout.attention else ""),
        (pgettext("payout", "Created"), format.exact_time(payout.created_at)),
        (_("Updated"), format.exact_time(payout.updated_at)),
        (_("Paid"), format.exact_time(payout.processed_at)),
        (_("Provider's fee"), _fee(attempts[-1], payout.currency) if attempts else ""),
        (_("Withdrawn by the client"), format.exact_time(payout.withdrawn_at)),
        (_("Idempotency key"), key_without_cards(payout.idempotency_key or "")),
        (_("Request ID"), payout.trace_id),
        (_("Version"), str(payout.version)),
        (_("History archived"), archived),
    ]
    return [(label, text) for label, text in facts if text]
