"""A payout's events as lines of its page: what happened, by whom, and why."""

from collections.abc import Sequence
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from payouts.admin.kit.format import actor, duration, exact_time, flag_label
from payouts.models import Approval, Attention, Event, EventName
from payouts.plain_text import without_cards
from payouts.providers.messages import translated
from payouts.states import Status

EVENT_LOOKS: dict[str, str] = {
    EventName.APPROVED: "green",
    EventName.APPROVAL_WITHDRAWN: "orange",
    EventName.ASKED: "blue",
    EventName.REJECTED: "red",
    EventName.ROUTED: "blue",
    EventName.HELD: "orange",
    EventName.CANCELLED: "red",
    EventName.CLAIMED: "blue",
    EventName.ACCEPTED: "blue",
    EventName.SUCCEEDED: "green",
    EventName.SETTLED: "green",
    EventName.REFUSED: "red",
    EventName.LACKED_FUNDS: "amber",
    EventName.OUTCOME_UNKNOWN: "magenta",
    EventName.FLAGGED: "magenta",
    EventName.RESOLVED: "green",
    EventName.RECONCILED: "green",
    EventName.RETURNED: "orange",
    EventName.CONFIRMED: "green",
    EventName.REVEALED: "orange",
}


def timeline(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Newest first."""
    now = timezone.now()
    return [
        {
            "event": event,
            "label": capfirst(event.get_event_display()),
            "tone": EVENT_LOOKS.get(event.event, "gray"),
            "actor": actor(event.actor),
            "at": exact_time(event.at),
            "ago": duration(now - event.at),
            "moved": _moved(event),
            "reason": _said(event),
            "details": _details(event),
        }
        for event in reversed(events)
    ]


def _moved(event: Event) -> str:
    if event.from_status is None or event.from_status == event.to_status:
        return ""
    return f"{Status(event.from_status).label} → {Status(event.to_status).label}"


def _said(event: Event) -> str:
    """The reason, but where it only names the report's line, which stands among the details."""
    return (
        "" if event.reason and event.reason == event.facts.get("report") else without_cards(translated(event.reason))
    )


def _report_line(source: str) -> str:
    """`march.csv:2` in words."""
    name, _separator, number = source.rpartition(":")
    if name and number.isdigit():
        return _("%(name)s, line %(number)s") % {"name": name, "number": number}
    return source


def _details(event: Event) -> list[tuple[str, str]]:
    """The event's facts in words; the ones that the page shows elsewhere are left out."""
    facts = event.facts
    details: list[tuple[str, str]] = []
    if code := facts.get("code"):
        details.append((_("Code"), str(code)))
    if provider_id := facts.get("provider_id"):
        details.append((_("Provider's ID"), str(provider_id)))
    if attention := facts.get("attention"):
        details.append((_("Why"), str(Attention(attention).label) if attention in Attention.values else attention))
    if decision := facts.get("decision"):
        known = decision in Approval.Decision.values
        details.append((_("Decision"), str(Approval.Decision(decision).label) if known else decision))
    if report := facts.get("report"):
        details.append((_("Provider's report"), _report_line(str(report))))
    if event.event == EventName.RELEASED and event.actor.startswith("provider:"):
        details.append((_("Why"), _("it has news of the payment, so it is being asked")))
    if "scheduled_for" in facts:
        moment = parse_datetime(facts["scheduled_for"]) if facts["scheduled_for"] else None
        details.append((_("Scheduled for"), exact_time(moment) or _("as soon as it may be paid")))
    if event.event in (EventName.SUBMITTED, EventName.ROUTED) and (account := facts.get("provider")):
        was = f"{facts['was']} → " if "was" in facts else ""
        details.append((_("Account"), f"{was}{account}"))
        if route := facts.get("route"):
            details.append((_("Route"), str(route)))
    if required := facts.get("approvals_required"):
        details.append((_("Approvals required"), str(required)))
    if flags := facts.get("review_flags"):
        details.append((_("To review"), "; ".join(flag_label(str(flag)) for flag in flags)))
    if asked_by := facts.get("asked_by"):
        details.append((_("Extra approval because"), "; ".join(flag_label(str(flag)) for flag in asked_by)))
    return details
