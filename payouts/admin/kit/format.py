"""How payouts read to people: stage badges, ages, masked recipients, the timeline, and what to do next."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import formats, timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from payouts import money
from payouts.masked import recipient_pair as recipient_pair
from payouts.models import Approval, Attempt, Attention, Event, EventName, Payout, ReviewFlag
from payouts.states import Stage, Status

# The colour (admin.css) and the icon of each stage; the text always stands beside them.
STAGE_LOOKS: dict[Stage, tuple[str, str]] = {
    Stage.HELD: ("orange", "pause_circle"),
    Stage.AWAITING_APPROVAL: ("amber", "approval"),
    Stage.SCHEDULED: ("violet", "schedule"),
    Stage.READY: ("blue", "bolt"),
    Stage.PROCESSING: ("blue", "sync"),
    Stage.PROCESSED: ("green", "check_circle"),
    Stage.FAILED: ("red", "error"),
    Stage.UNKNOWN: ("magenta", "help"),
    Stage.REJECTED: ("gray", "block"),
    Stage.CANCELLED: ("gray", "cancel"),
    Stage.RETURNED: ("gray", "undo"),
}

EVENT_LOOKS: dict[str, str] = {
    EventName.APPROVED: "green",
    EventName.APPROVAL_WITHDRAWN: "orange",
    EventName.ASKED: "blue",
    EventName.REJECTED: "red",
    EventName.HELD: "orange",
    EventName.CANCELLED: "red",
    EventName.CLAIMED: "blue",
    EventName.ACCEPTED: "blue",
    EventName.SUCCEEDED: "green",
    EventName.SETTLED: "green",
    EventName.REFUSED: "red",
    EventName.OUTCOME_UNKNOWN: "magenta",
    EventName.FLAGGED: "magenta",
    EventName.RESOLVED: "green",
    EventName.RECONCILED: "green",
    EventName.RETURNED: "orange",
    EventName.REVEALED: "orange",
}

KEY_LABELS = {
    "card": gettext_lazy("Card"),
    "card_number": gettext_lazy("Card"),
    "account": gettext_lazy("Account"),
    "account_number": gettext_lazy("Account"),
    "iban": gettext_lazy("IBAN"),
    "phone": gettext_lazy("Phone"),
    "bank": gettext_lazy("Bank"),
    "bank_name": gettext_lazy("Bank"),
    "bic": gettext_lazy("BIC"),
    "name": gettext_lazy("Name"),
    "full_name": gettext_lazy("Name"),
    "holder": gettext_lazy("Holder"),
    "city": gettext_lazy("City"),
    "country": gettext_lazy("Country"),
    "inn": gettext_lazy("Taxpayer number"),
}


def stage_badge(stage: Stage) -> SafeString:
    tone, icon = STAGE_LOOKS[stage]
    return badge(str(stage.label), tone=tone, icon=icon)


def badge(text: str, *, tone: str, icon: str = "") -> SafeString:
    """A label told by its text, coloured besides."""
    symbol = format_html('<span class="material-symbols-outlined" aria-hidden="true">{}</span>', icon) if icon else ""
    return format_html('<span class="po-badge po-{}">{}{}</span>', tone, symbol, text)


def amount(payout: Payout) -> str:
    return money.shown(payout.amount, payout.currency)


def exact_time(moment: datetime | None) -> str:
    """The moment in the current time zone, which is named; empty for None."""
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    pattern = pgettext("date format", "j M Y, H:i:s")  # in the letters of Django's date filter
    return f"{formats.date_format(local, pattern)} {local.tzname()}"


def duration(spent: timedelta) -> str:
    """Short, for people: 26 min, 31 h, 5 d."""
    seconds = max(0, int(spent.total_seconds()))
    if seconds < 60:
        return _("under 1 min")
    if seconds < 3600:
        return _("%(count)s min") % {"count": seconds // 60}
    if seconds < 48 * 3600:
        return _("%(count)s h") % {"count": seconds // 3600}
    return _("%(count)s d") % {"count": seconds // 86400}


def age(moment: datetime) -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        exact_time(moment),
        duration(timezone.now() - moment),
    )


def recipient_lines(masked: Any) -> list[tuple[str, str]]:
    """The masked recipient as lines of a label and a text, nested parts with their path."""
    return list(_lines(masked, ()))


def _lines(content: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _lines(value, (*path, _key_label(str(key))))
    elif isinstance(content, list):
        for number, value in enumerate(content, 1):
            yield from _lines(value, (*path, str(number)))
    else:
        words = {"None": "–", "True": _("yes"), "False": _("no")}
        yield " › ".join(path), content if isinstance(content, str) else words.get(str(content), str(content))


def _key_label(key: str) -> str:
    if label := KEY_LABELS.get(key.lower()):
        return str(label)
    words = key.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def recipient_cell(masked: Any) -> SafeString:
    name, account = recipient_pair(masked)
    if name and account:
        return format_html(
            '<span class="po-stack"><span>{}</span><span class="po-sub">{}</span></span>', name, account
        )
    return format_html("{}", name or account or "–")


def actor(text: str) -> str:
    """`user:anna`, `client:shop`, `provider:http` and `system:worker` in words."""
    kind, _separator, name = text.partition(":")
    match kind:
        case "client":
            return _("API client %(name)s") % {"name": name}
        case "provider":
            return _("Provider %(name)s") % {"name": name}
        case "system":
            return _("Worker") if name == "worker" else name
        case _:
            return name or text


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline."""

    event: Event
    label: str
    tone: str
    actor: str
    at: str
    ago: str
    moved: str
    reason: str
    details: list[tuple[str, str]] = field(default_factory=list)


def timeline(events: Sequence[Event]) -> list[Entry]:
    """Newest first."""
    now = timezone.now()
    return [
        Entry(
            event=event,
            label=_sentence_case(event.get_event_display()),
            tone=EVENT_LOOKS.get(event.event, "gray"),
            actor=actor(event.actor),
            at=exact_time(event.at),
            ago=duration(now - event.at),
            moved=_moved(event),
            reason=_said(event),
            details=_details(event),
        )
        for event in reversed(events)
    ]


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]


def _moved(event: Event) -> str:
    if event.from_status is None or event.from_status == event.to_status:
        return ""
    return f"{Status(event.from_status).label} → {Status(event.to_status).label}"


def _said(event: Event) -> str:
    """The reason, but where it only names the report's line, which stands among the details."""
    return "" if event.reason and event.reason == event.facts.get("report") else event.reason


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
        details.append((_("Why"), _("it has news of the payment, and is asked for it")))
    if "scheduled_for" in facts:
        moment = parse_datetime(facts["scheduled_for"]) if facts["scheduled_for"] else None
        details.append((_("Scheduled for"), exact_time(moment) or _("as soon as it may be paid")))
    if required := facts.get("approvals_required"):
        details.append((_("Approvals required"), str(required)))
    if flags := facts.get("review_flags"):
        details.append((_("To review"), "; ".join(flag_label(str(flag)) for flag in flags)))
    if asked_by := facts.get("asked_by"):
        details.append((_("One approval more because"), "; ".join(flag_label(str(flag)) for flag in asked_by)))
    return details


@dataclass(frozen=True, slots=True)
class NextStep:
    """Why the payout is where it is, and what is safe to do."""

    why: str
    then: str = ""
    is_alarm: bool = False


def next_step(
    payout: Payout,
    *,
    user: User,
    attempts: Sequence[Attempt],
    approvals: Sequence[Approval],
    may_approve: bool,
    is_silent: bool,
    is_paused: bool = False,
) -> NextStep:
    """`is_silent` says that the provider does not answer just now, `is_paused` that somebody has stopped calls."""
    if payout.attention:
        return _attention_step(payout, attempts, approvals)
    match payout.stage:
        case Stage.HELD:
            return NextStep(
                _("On hold since %(at)s by %(who)s.")
                % {"at": exact_time(payout.held_at), "who": payout.held_by and payout.held_by.get_username()},
                _("Release it to let it go on, or cancel it."),
            )
        case Stage.AWAITING_APPROVAL:
            return _approval_step(payout, user=user, approvals=approvals, may_approve=may_approve)
        case Stage.SCHEDULED if payout.release_at and payout.release_at == payout.not_before:
            return NextStep(
                _("Approved; it is paid on %(at)s.") % {"at": exact_time(payout.release_at)},
                _("Until then who approved it can take the approval back, and anybody who may can hold it."),
            )
        case Stage.SCHEDULED:
            return NextStep(
                _("It will be paid on %(at)s.") % {"at": exact_time(payout.scheduled_for)},
                _("Hold or cancel it before then if it must not be paid."),
            )
        case Stage.READY if is_paused:
            return NextStep(
                _("The provider %(provider)s is paused: it waits until somebody resumes the provider.")
                % {"provider": payout.provider},
                _("Hold or cancel it now if it must not be paid."),
            )
        case Stage.READY if is_silent:
            return NextStep(
                _("The provider %(provider)s does not answer: it waits until it does.")
                % {"provider": payout.provider},
                _("Hold or cancel it now if it must not be paid."),
            )
        case Stage.READY:
            return NextStep(
                _("Nothing holds it: the worker takes it within seconds."),
                _("Hold or cancel it now if it must not be paid."),
            )
        case Stage.PROCESSING:
            return _processing_step(payout, attempts, is_paused)
        case Stage.UNKNOWN:
            return _unknown_step(payout, attempts, approvals, is_paused)
        case Stage.PROCESSED:
            return NextStep(
                _("Paid on %(at)s.") % {"at": exact_time(payout.processed_at)}, _("Nothing is left to do.")
            )
        case Stage.FAILED:
            return _failed_step(payout)
        case Stage.RETURNED:
            return NextStep(_("It was paid, and the bank gave the money back."), _("Nothing is left to do."))
        case _:
            return NextStep(_("Closed; no money has left."), _("Nothing is left to do."))


def _attention_step(payout: Payout, attempts: Sequence[Attempt], approvals: Sequence[Approval]) -> NextStep:
    why = _("It needs attention: %(problem)s.") % {"problem": Attention(payout.attention).label}
    if payout.attention == Attention.ALTERED:
        return NextStep(why, _("Do nothing with it before an audit has shown what was changed."), is_alarm=True)
    return NextStep(why, _attention_hint(payout, attempts, approvals), is_alarm=True)


def _attention_hint(payout: Payout, attempts: Sequence[Attempt], approvals: Sequence[Approval]) -> str:
    was_refused_once = any(attempt.outcome == Attempt.Outcome.REFUSED for attempt in attempts)
    match payout.attention, payout.status:
        case Attention.AMOUNT_DIFFERS, Status.UNKNOWN:
            asked = _("Ask the provider how much it paid, and to whom.")
            return f"{asked} {_resolution_hint(attempts, approvals)}"
        case _, Status.UNKNOWN:
            again = _("Release it to have the provider asked again.")
            return f"{_resolution_hint(attempts, approvals)} {again}"
        case Attention.CONTRADICTED, Status.FAILED:
            return _(
                "Ask the provider. If it did pay, leave the flag: it keeps everybody from paying again. Clear it only"
                " when the provider confirms that no money left."
            )
        case Attention.CONTRADICTED, Status.PENDING:
            return _(
                "An earlier attempt, recorded as refused, may have been paid. Ask the provider, and cancel the payout"
                " if it was. Release it only when the provider confirms that no money left: it is then paid."
            )
        case Attention.CONTRADICTED, _ if was_refused_once:
            return _(
                "An earlier attempt, recorded as refused, may have been paid as well: the money may have left twice."
                " Ask the provider at once and have the second payment returned; then clear the flag."
            )
        case Attention.CONTRADICTED, Status.PROCESSED:
            return _(
                "Ask the provider which is true. If the money came back or never left, record the return; if it was"
                " paid, clear the flag."
            )
        case Attention.AMOUNT_DIFFERS, _:
            return _("Ask the provider how much it paid. When the difference is explained, clear the flag.")
        case Attention.MISSING, _:
            return _(
                "Ask the provider whether it was paid. If the money came back or never left, record the return; if it"
                " was paid, clear the flag."
            )
        case Attention.UNWORKABLE, Status.PENDING:
            return _(
                "No money has left. The worker's log says what failed: have that mended, then release it, or cancel"
                " it."
            )
        case _, Status.PENDING:
            return _("Find out why before you release it; reject or cancel it when in doubt.")
        case _:
            return _("Find out why, then clear the flag.")


def _approval_step(payout: Payout, *, user: User, approvals: Sequence[Approval], may_approve: bool) -> NextStep:
    why = _("Waits for approval %(number)s of %(required)s.") % {
        "number": payout.approvals_given + 1,
        "required": payout.approvals_required,
    }
    if payout.maker_id == user.pk:
        return NextStep(why, _("You made this payout, so another person must approve it."))
    if sum(approval.checker_id == user.pk and approval.attempt_id is None for approval in approvals) % 2:
        return NextStep(why, _("You have approved it; another person must, too."))
    if may_approve:
        return NextStep(why, _("Check the amount and the recipient, then approve or reject it."))
    return NextStep(why, _("Someone who may approve payouts decides on it."))


def _processing_step(payout: Payout, attempts: Sequence[Attempt], is_paused: bool) -> NextStep:
    if payout.lease_token:
        return NextStep(_("The provider is being asked right now."), _("Nothing can be done until it answers."))
    accepted = bool(attempts and attempts[-1].accepted_at)
    why = _("The provider has accepted it, and has not paid it yet.") if accepted else _("Sent to the provider.")
    return NextStep(why, _asked_again(payout, is_paused))


def _unknown_step(
    payout: Payout, attempts: Sequence[Attempt], approvals: Sequence[Approval], is_paused: bool
) -> NextStep:
    return NextStep(
        _("Nobody knows yet whether it was paid. Do not pay it in another way."),
        f"{_asked_again(payout, is_paused)} {_resolution_hint(attempts, approvals)}".strip(),
        is_alarm=True,
    )


def _asked_again(payout: Payout, is_paused: bool) -> str:
    if payout.due_at is None:
        return ""
    if is_paused:
        return _("The provider %(provider)s is paused: it is asked again when somebody has resumed it.") % {
            "provider": payout.provider
        }
    if payout.due_at <= timezone.now():
        return _("The provider will be asked again now.")
    return _("The provider will be asked again on %(at)s.") % {"at": exact_time(payout.due_at)}


def _resolution_hint(attempts: Sequence[Attempt], approvals: Sequence[Approval]) -> str:
    live = attempts[-1].pk if attempts else None
    voices = [approval for approval in approvals if approval.attempt_id and approval.attempt_id == live]
    if not voices:
        return _("Two people may resolve it on evidence: a statement's line, a provider's letter.")
    said = "; ".join(f"{voice.checker.get_username()}: {voice.get_decision_display()}" for voice in voices)
    return _("Resolution proposed (%(said)s). A second person who agrees makes it so.") % {"said": said}


def _failed_step(payout: Payout) -> NextStep:
    if payout.failure_code == "resolved_by_hand":
        return NextStep(
            _("Two people found that it was not paid."),
            _("Retry it to pay it with a new attempt, or leave it as it is."),
        )
    refusal = ": ".join(part for part in (payout.failure_code, payout.failure_message) if part)
    return NextStep(
        _("The provider refused it for certain (%(refusal)s). No money has left.") % {"refusal": refusal.rstrip(".")},
        _("Mend the cause, then retry it: a new attempt is made. Or leave it as it is."),
    )


def next_word(payout: Payout) -> str:
    """What comes next, in a few words."""
    match payout.stage:
        case Stage.AWAITING_APPROVAL:
            return _("approval %(number)s of %(required)s") % {
                "number": payout.approvals_given + 1,
                "required": payout.approvals_required,
            }
        case Stage.HELD:
            return _("a person decides")
        case Stage.SCHEDULED:
            return exact_time(payout.not_before)
        case Stage.READY | Stage.PROCESSING:
            return _("the provider")
        case Stage.UNKNOWN:
            return _("find out how it ended")
        case Stage.FAILED:
            return _("retry it, or leave it")
        case _:
            return _("nothing")


def flag_label(flag: str) -> str:
    return str(ReviewFlag(flag).label) if flag in ReviewFlag.values else flag


def review_flags(payout: Payout) -> list[str]:
    return [flag_label(flag) for flag in payout.review_flags]
