"""What people do with payouts. Each verb is declared once: its action, rule, permission, what it asks for, its words.

The buttons, dialogs and bulk offers of the back office, the permissions behind them and the tests' matrix follow from
here. A new verb is an entry here, an action beside this file, an EventName and a rule in payouts.rules. A permission
of its own is named in Payout.Meta and staff/groups.py too; a verb that is offered in bulk is in BulkDecision.Verb.
The models' part takes a migration.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy, pgettext

from payouts import rules
from payouts.actions import approvals, confirmations, decisions, disclosures, resolutions, routing
from payouts.models import Attention, EventName, Payout
from payouts.rules import Standing
from payouts.states import Stage

type Text = Any  # a lazy translation


class Asks(Enum):
    """What a person gives with the verb."""

    COMMENT = auto()  # an approver's
    REASON = auto()
    OPTIONAL_REASON = auto()
    TIME = auto()  # and a reason
    EVIDENCE = auto()
    OUTCOME = auto()  # and evidence


class Look(Enum):
    PLAIN = auto()
    PRIMARY = auto()
    SUCCESS = auto()


@dataclass(frozen=True, slots=True)
class InBulk:
    """How the verb is offered for many payouts at once, in the lists of these stages and where stages are mixed."""

    title: Text  # counted
    warning: Text
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Verb:
    """`act` is called with the payout's id, `by`, `version` and what the verb asks for."""

    name: str
    act: Callable[..., Any]
    why_not: Callable[[Payout, Standing], str]
    permissions: tuple[str, ...]  # any of them
    asks: Asks
    label: Text
    title: Text
    warning: Text | Callable[[Payout], str]
    done: Text | Callable[[Payout], str]  # of `payout`
    icon: str
    submit: Text = ""  # the label again, if empty
    look: Look = Look.PLAIN
    is_final: bool = False
    is_rare: bool = False  # offered under "More"
    in_bulk: InBulk | None = None


def _consequence_of_approval(payout: Payout) -> str:
    number, required = payout.approvals_given + 1, payout.approvals_required
    words = {"number": number, "required": required}
    if number < required:
        return _("This is approval %(number)s of %(required)s: another person must approve too.") % words
    return _("This is approval %(number)s of %(required)s, the last one: the money leaves.") % words


def _consequence_of_retry(payout: Payout) -> str:
    text = _("It is sent again with a new key. The last attempt was definitely refused.")
    if not (newer := decisions.newer_alike(payout)):
        return text
    alike = _(
        "There are newer payouts of the same amount to the same recipient: %(newer)s. Make sure that they do not pay"
        " the same thing. Another person must approve the retry."
    ) % {"newer": ", ".join(f"#{number}" for number in newer)}
    return f"{text} {alike}"


def _retried(payout: Payout) -> str:
    if payout.is_approved:
        return _("%(payout)s: waits for a new attempt.") % {"payout": payout}
    return _("%(payout)s: sent again when another person has approved it.") % {"payout": payout}


def _consequence_of_route(payout: Payout) -> str:
    return _("The routes in force choose the account that pays it. Now it is %(account)s.") % {
        "account": payout.provider
    }


def _routed(payout: Payout) -> str:
    return _("%(payout)s: will be paid from the account %(account)s.") % {
        "payout": payout,
        "account": payout.provider,
    }


def _scheduled(payout: Payout) -> str:
    if payout.scheduled_for is None:
        return _("%(payout)s: will be paid as soon as possible.") % {"payout": payout}
    local = timezone.localtime(payout.scheduled_for)
    at = f"{formats.date_format(local, pgettext('date format', 'j M Y, H:i:s'))} {local.tzname()}"
    return _("%(payout)s: will be paid at %(at)s or later.") % {"payout": payout, "at": at}


def _resolved(payout: Payout) -> str:
    if payout.events.latest("seq").event == EventName.RESOLUTION_PROPOSED:
        return _("%(payout)s: your decision is recorded; a second person must agree.") % {"payout": payout}
    return _("%(payout)s: the outcome is recorded.") % {"payout": payout}


def _confirmed(payout: Payout) -> str:
    if payout.attention == Attention.ALTERED:
        return _("%(payout)s: your confirmation is recorded; a second person must agree.") % {"payout": payout}
    return _("%(payout)s: confirmed as unchanged; it goes on.") % {"payout": payout}


DECLARED = (
    Verb(
        name="approve",
        act=approvals.approve,
        why_not=rules.why_not_approve,
        permissions=("approve_payout",),
        asks=Asks.COMMENT,
        label=gettext_lazy("Approve"),
        title=gettext_lazy("Approve the payout"),
        warning=_consequence_of_approval,
        done=gettext_lazy("%(payout)s: approved."),
        icon="check",
        look=Look.SUCCESS,
        in_bulk=InBulk(
            title=ngettext_lazy("Approve %(count)s payout", "Approve %(count)s payouts", "count"),
            warning=gettext_lazy("A payout is paid after its last approval."),
            stages=(Stage.AWAITING_APPROVAL,),
        ),
    ),
    Verb(
        name="reject",
        act=approvals.reject,
        why_not=rules.why_not_reject,
        permissions=("approve_payout",),
        asks=Asks.REASON,
        label=gettext_lazy("Reject"),
        title=gettext_lazy("Reject the payout"),
        warning=gettext_lazy("It is closed permanently and never paid."),
        done=gettext_lazy("%(payout)s: rejected."),
        icon="block",
        is_final=True,
    ),
    Verb(
        name="hold",
        act=decisions.hold,
        why_not=rules.why_not_hold,
        permissions=("hold_payout",),
        asks=Asks.REASON,
        label=gettext_lazy("Hold"),
        title=gettext_lazy("Put the payout on hold"),
        warning=gettext_lazy("It is not paid until someone releases it."),
        done=gettext_lazy("%(payout)s: on hold."),
        icon="pause",
        in_bulk=InBulk(
            title=ngettext_lazy("Put %(count)s payout on hold", "Put %(count)s payouts on hold", "count"),
            warning=gettext_lazy("They are not paid until someone releases them."),
            stages=(Stage.AWAITING_APPROVAL, Stage.SCHEDULED, Stage.READY),
        ),
    ),
    Verb(
        name="release",
        act=decisions.release,
        why_not=rules.why_not_release,
        permissions=("hold_payout",),
        asks=Asks.REASON,
        label=gettext_lazy("Release"),
        title=gettext_lazy("Release the payout"),
        warning=gettext_lazy(
            "It continues: if it has all its approvals, the money leaves. If its outcome is unknown, the"
            " provider is asked again."
        ),
        done=gettext_lazy("%(payout)s: released."),
        icon="play_arrow",
        look=Look.PRIMARY,
        in_bulk=InBulk(
            title=ngettext_lazy("Release %(count)s payout", "Release %(count)s payouts", "count"),
            warning=gettext_lazy("They continue: those with all their approvals are paid."),
            stages=(Stage.HELD,),
        ),
    ),
    Verb(
        name="withdraw_approval",
        act=approvals.withdraw_approval,
        why_not=rules.why_not_withdraw_approval,
        permissions=("approve_payout",),
        asks=Asks.REASON,
        label=gettext_lazy("Withdraw approval"),
        title=gettext_lazy("Withdraw your approval"),
        warning=gettext_lazy(
            "The payout waits for approval again. This is not possible once the worker has taken it."
        ),
        done=gettext_lazy("%(payout)s: your approval is withdrawn."),
        icon="undo",
    ),
    Verb(
        name="clear_flag",
        act=decisions.clear_flag,
        why_not=rules.why_not_clear_flag,
        permissions=("hold_payout",),
        asks=Asks.REASON,
        label=gettext_lazy("Clear the flag"),
        title=gettext_lazy("Clear the payout's flag"),
        warning=gettext_lazy("No money moves. Say what you found: a failed payout can be retried afterwards."),
        done=gettext_lazy("%(payout)s: the flag is cleared."),
        icon="flag_check",
        look=Look.PRIMARY,
    ),
    Verb(
        name="ask_now",
        act=decisions.ask_now,
        why_not=rules.why_not_ask_now,
        permissions=("retry_payout", "resolve_payout"),
        asks=Asks.OPTIONAL_REASON,
        label=gettext_lazy("Ask the provider now"),
        title=gettext_lazy("Ask the provider what became of the payout"),
        submit=gettext_lazy("Ask now"),
        warning=gettext_lazy("The worker asks within seconds. Asking never pays twice."),
        done=gettext_lazy("%(payout)s: the provider is asked now."),
        icon="contact_support",
    ),
    Verb(
        name="resolve",
        act=resolutions.resolve,
        why_not=rules.why_not_resolve,
        permissions=("resolve_payout",),
        asks=Asks.OUTCOME,
        label=gettext_lazy("Record the outcome"),
        title=gettext_lazy("Record how the payout ended"),
        submit=gettext_lazy("Submit my decision"),
        warning=gettext_lazy("Two people must give the same answer. A wrong “was not paid” lets it be paid twice."),
        done=_resolved,
        icon="gavel",
        look=Look.PRIMARY,
    ),
    Verb(
        name="confirm_unchanged",
        act=confirmations.confirm_unchanged,
        why_not=rules.why_not_confirm_unchanged,
        permissions=("resolve_payout",),
        asks=Asks.EVIDENCE,
        label=gettext_lazy("Confirm as unchanged"),
        title=gettext_lazy("Confirm that the payout is unchanged"),
        warning=gettext_lazy(
            "Its seal fits: it is as the product wrote it. Say why it was flagged. When a second person agrees, it"
            " goes on, and may be paid."
        ),
        done=_confirmed,
        icon="verified",
        look=Look.PRIMARY,
    ),
    Verb(
        name="retry",
        act=decisions.retry,
        why_not=rules.why_not_retry,
        permissions=("retry_payout",),
        asks=Asks.REASON,
        label=gettext_lazy("Retry"),
        title=gettext_lazy("Retry the payout"),
        warning=_consequence_of_retry,
        done=_retried,
        icon="refresh",
        look=Look.PRIMARY,
        in_bulk=InBulk(
            title=ngettext_lazy("Retry %(count)s payout", "Retry %(count)s payouts", "count"),
            warning=gettext_lazy("Each is sent again with a new key. The last attempt was definitely refused."),
            stages=(Stage.FAILED,),
        ),
    ),
    Verb(
        name="cancel",
        act=decisions.cancel,
        why_not=rules.why_not_cancel,
        permissions=("cancel_payout",),
        asks=Asks.REASON,
        label=gettext_lazy("Cancel payout"),
        title=gettext_lazy("Cancel the payout"),
        warning=gettext_lazy("It is closed permanently and never paid."),
        done=gettext_lazy("%(payout)s: cancelled."),
        icon="cancel",
        is_final=True,
        in_bulk=InBulk(
            title=ngettext_lazy("Cancel %(count)s payout", "Cancel %(count)s payouts", "count"),
            warning=gettext_lazy("They are closed permanently and never paid."),
            stages=(Stage.AWAITING_APPROVAL, Stage.HELD, Stage.SCHEDULED, Stage.READY),
        ),
    ),
    Verb(
        name="schedule",
        act=decisions.schedule,
        why_not=rules.why_not_schedule,
        permissions=("hold_payout",),
        asks=Asks.TIME,
        label=gettext_lazy("Schedule"),
        title=gettext_lazy("Schedule payout"),
        warning=gettext_lazy("It is paid at that time or later, and only with all its approvals."),
        done=_scheduled,
        icon="schedule",
        is_rare=True,
    ),
    Verb(
        name="route",
        act=routing.route,
        why_not=rules.why_not_route,
        permissions=("route_payout",),
        asks=Asks.REASON,
        label=gettext_lazy("Route anew"),
        title=gettext_lazy("Route the payout anew"),
        warning=_consequence_of_route,
        done=_routed,
        icon="alt_route",
        is_rare=True,
        in_bulk=InBulk(
            title=ngettext_lazy("Route %(count)s payout anew", "Route %(count)s payouts anew", "count"),
            warning=gettext_lazy("The routes in force choose the account that pays each of them."),
            stages=(Stage.AWAITING_APPROVAL, Stage.HELD, Stage.SCHEDULED, Stage.READY),
        ),
    ),
    Verb(
        name="settle",
        act=decisions.settle,
        why_not=rules.why_not_settle,
        permissions=("settle_payout",),
        asks=Asks.REASON,
        label=gettext_lazy("Settle by hand"),
        title=gettext_lazy("Record that the payout was paid by hand"),
        warning=gettext_lazy("Nothing is sent to the provider. Say how the money was paid."),
        done=gettext_lazy("%(payout)s: settled by hand."),
        icon="handshake",
        is_rare=True,
    ),
    Verb(
        name="record_return",
        act=resolutions.record_return,
        why_not=rules.why_not_record_return,
        permissions=("return_payout",),
        asks=Asks.EVIDENCE,
        label=gettext_lazy("Record return"),
        title=gettext_lazy("Record that the bank returned the payout"),
        warning=gettext_lazy("It is closed permanently as returned. To pay again, create a new payout."),
        done=gettext_lazy("%(payout)s: returned."),
        icon="undo",
        is_final=True,
        is_rare=True,
    ),
    Verb(
        name="reveal",
        act=disclosures.reveal,
        why_not=rules.why_not_reveal,
        permissions=("reveal_payout",),
        asks=Asks.REASON,
        label=gettext_lazy("Reveal recipient"),
        title=gettext_lazy("Reveal the recipient"),
        warning=gettext_lazy("The payout's history records that you saw it, and your reason."),
        done="",  # its answer is the recipient
        icon="visibility",
        is_rare=True,
    ),
)
VERBS: dict[str, Verb] = {verb.name: verb for verb in DECLARED}
IN_BULK: dict[str, Verb] = {verb.name: verb for verb in DECLARED if verb.in_bulk}  # as in BulkDecision.Verb
