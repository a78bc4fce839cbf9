"""Why a payout is where it is, and what is safe to do next, in a sentence each."""

from collections.abc import Sequence

from django.utils import timezone
from django.utils.translation import gettext as _

from payouts import rules
from payouts.admin.kit.format import exact_time
from payouts.admin.kit.next_step import NextStep
from payouts.admin.velocity_limits import waits_in_words
from payouts.models import (
    RESOLVED_BY_HAND,
    WAITS_AFTER_REFUSAL,
    WAITS_FOR_FUNDS,
    Approval,
    Attempt,
    Attention,
    Payout,
    contradicted_attempts,
)
from payouts.providers.messages import advice, translated
from payouts.rules import Standing
from payouts.states import Stage, Status


def next_step(
    payout: Payout,
    *,
    who: Standing,
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
                _("%(who)s put it on hold at %(at)s.")
                % {"at": exact_time(payout.held_at), "who": payout.held_by and payout.held_by.get_username()},
                _("Release it to let it continue, or cancel it."),
            )
        case Stage.AWAITING_APPROVAL:
            return _approval_step(payout, who=who, may_approve=may_approve)
        case Stage.SCHEDULED:
            return _scheduled_step(payout)
        case Stage.READY if over := waits_in_words(payout):
            why = _("It waits, because it is %(over)s.") % {"over": over}
            then = _("It goes on by itself when the limit has room. Two people can send it now, or raise the limit.")
            return NextStep(why, then, is_alarm=True)
        case Stage.READY if payout.waits_for.startswith(WAITS_FOR_FUNDS):
            return _funds_step(payout)
        case Stage.READY:
            return NextStep(
                _waits_for(payout, is_silent=is_silent, is_paused=is_paused),
                _("Hold or cancel it now if it must not be paid."),
            )
        case Stage.PROCESSING:
            return _processing_step(payout, attempts, is_paused)
        case Stage.UNKNOWN:
            return _unknown_step(payout, approvals, is_paused)
        case Stage.PROCESSED:
            return NextStep(
                _("Paid on %(at)s.") % {"at": exact_time(payout.processed_at)}, _("Nothing is left to do.")
            )
        case Stage.FAILED:
            return _failed_step(payout, is_paused)
        case Stage.RETURNED:
            return NextStep(_("It was paid, and the bank gave the money back."), _("Nothing is left to do."))
        case _:
            return NextStep(_("Closed; no money has left."), _("Nothing is left to do."))


def _attention_step(payout: Payout, attempts: Sequence[Attempt], approvals: Sequence[Approval]) -> NextStep:
    why = _("It needs attention: %(problem)s.") % {"problem": Attention(payout.attention).label}
    if payout.attention == Attention.ALTERED:
        if payout.is_sealed_but_for_flag:
            return NextStep(
                why,
                _(
                    "Its seal fits: it is as the product wrote it. Find out why it was flagged; then two people,"
                    " neither of whom made it, confirm that it is unchanged."
                ),
                is_alarm=True,
            )
        return NextStep(why, _("Do nothing with it until an audit has shown what was changed."), is_alarm=True)
    return NextStep(why, _attention_hint(payout, attempts, approvals), is_alarm=True)


def _attention_hint(payout: Payout, attempts: Sequence[Attempt], approvals: Sequence[Approval]) -> str:
    was_refused_once = any(attempt.outcome == Attempt.Outcome.REFUSED for attempt in attempts)
    match payout.attention, payout.status:
        case Attention.AMOUNT_DIFFERS, Status.UNKNOWN:
            asked = _("Ask the provider how much it paid, and to whom.")
            return f"{asked} {_resolution_hint(payout, approvals)}"
        case Attention.CONTRADICTED, _:
            return f"{_contradiction_hint(payout, was_refused_once)} {_resolution_hint(payout, approvals)}"
        case Attention.OTHER_ACCOUNT, _:
            return _(
                "Nothing is asked or sent while the settings name another account of the provider. When they name the"
                " right one again, release it or ask the provider now."
            )
        case _, Status.UNKNOWN:
            again = _("Release it to have the provider asked again.")
            return f"{_resolution_hint(payout, approvals)} {again}"
        case Attention.AMOUNT_DIFFERS, _:
            return _("Ask the provider how much it paid. When the difference is explained, clear the flag.")
        case Attention.MISSING, _:
            return _(
                "Ask the provider whether it was paid. If the money came back or never left, record the return; if it"
                " was paid, clear the flag."
            )
        case Attention.UNWORKABLE, Status.PENDING:
            return _(
                "No money has left. The worker's log says what failed. Have that fixed, then release the payout,"
                " or cancel it."
            )
        case _, Status.PENDING:
            return _("Find out why before you release it; reject or cancel it when in doubt.")
        case _:
            return _("Find out why, then clear the flag.")


def _approval_step(payout: Payout, *, who: Standing, may_approve: bool) -> NextStep:
    why = _("Waits for approval %(number)s of %(required)s.") % {
        "number": payout.approvals_given + 1,
        "required": payout.approvals_required,
    }
    if obstacle := rules.why_not_approve(payout, who):
        return NextStep(why, obstacle)
    if may_approve:
        return NextStep(why, _("Check the amount and the recipient, then approve or reject it."))
    return NextStep(why, _("Someone who may approve payouts decides on it."))


def _scheduled_step(payout: Payout) -> NextStep:
    if payout.release_at and payout.release_at == payout.not_before:
        return NextStep(
            _("Approved. It will be paid on %(at)s.") % {"at": exact_time(payout.release_at)},
            _("Until then the approval can be withdrawn, and the payout can be put on hold."),
        )
    return NextStep(
        _("It will be paid on %(at)s.") % {"at": exact_time(payout.scheduled_for)},
        _("Hold or cancel it before then if it must not be paid."),
    )


def _funds_step(payout: Payout) -> NextStep:
    account = {"account": payout.provider}
    if payout.waits_for == WAITS_AFTER_REFUSAL:
        why = _("It waits for funds: the provider refused it, because the account %(account)s has too little money.")
    else:
        why = _(
            "It waits for funds: the balance of the account %(account)s, less what is under way, does not cover it."
        )
    then = _("Top the account up at the provider; it then goes by itself. Hold or cancel it if it must not be paid.")
    return NextStep(why % account, then, is_alarm=True)


def _waits_for(payout: Payout, *, is_silent: bool, is_paused: bool) -> str:
    provider = {"provider": payout.provider}
    if is_paused:
        return (
            _("The provider %(provider)s is paused. The payout waits until somebody resumes the provider.") % provider
        )
    if is_silent:
        return _("The provider %(provider)s does not answer. The payout waits until it does.") % provider
    return _("It is ready: the worker takes it within seconds.")


def _processing_step(payout: Payout, attempts: Sequence[Attempt], is_paused: bool) -> NextStep:
    if payout.lease_token:
        return NextStep(_("The provider is being asked right now."), _("Nothing can be done until it answers."))
    accepted = bool(attempts and attempts[-1].accepted_at)
    why = _("The provider has accepted it, and has not paid it yet.") if accepted else _("Sent to the provider.")
    return NextStep(why, _asked_again(payout, is_paused))


def _unknown_step(payout: Payout, approvals: Sequence[Approval], is_paused: bool) -> NextStep:
    return NextStep(
        _("Nobody knows yet whether it was paid. Do not pay it in another way."),
        f"{_asked_again(payout, is_paused)} {_resolution_hint(payout, approvals)}".strip(),
        is_alarm=True,
    )


def _asked_again(payout: Payout, is_paused: bool) -> str:
    if payout.due_at is None:
        return ""
    if is_paused:
        return _("The provider %(provider)s is paused. It will be asked again when somebody resumes it.") % {
            "provider": payout.provider
        }
    if payout.due_at <= timezone.now():
        return _("The provider will be asked again now.")
    return _("The provider will be asked again on %(at)s.") % {"at": exact_time(payout.due_at)}


def _contradiction_hint(payout: Payout, was_refused_once: bool) -> str:
    match payout.status:
        case Status.FAILED | Status.PENDING:
            return _(
                "An attempt that is recorded as refused may have been paid. Ask the provider. Nothing is sent until"
                " two people have recorded whether it was."
            )
        case Status.UNKNOWN:
            return _(
                "An earlier attempt, recorded as refused, may have been paid as well: the money may have left twice."
                " Ask the provider about both, and record first how the last one ended."
            )
        case _ if was_refused_once:
            return _(
                "An earlier attempt, recorded as refused, may have been paid as well: the money may have left twice."
                " Ask the provider at once and have the second payment returned."
            )
        case _:
            return _(
                "Ask the provider which is true. If the money came back or never left, record the return; if it was"
                " paid, two people say so."
            )


def _resolution_hint(payout: Payout, approvals: Sequence[Approval]) -> str:
    doubts = contradicted_attempts([payout]).get(payout.pk, [])
    voices = rules.present_resolutions(payout, approvals, doubts)
    if not voices:
        return _("Two people may record the outcome with evidence: a statement's line, a provider's letter.")
    said = "; ".join(f"{voice.checker.get_username()}: {voice.get_decision_display()}" for voice in voices)
    return _("Outcome proposed (%(said)s). A second person must agree.") % {"said": said}


def _failed_step(payout: Payout, is_paused: bool) -> NextStep:
    if payout.due_at:
        return NextStep(
            _("The provider refused it, and may have paid it after all. Do not pay it in another way."),
            _asked_again(payout, is_paused),
            is_alarm=True,
        )
    if payout.failure_code == RESOLVED_BY_HAND:
        return NextStep(
            _("Two people found that it was not paid."),
            _("Retry it to pay it with a new attempt, or leave it as it is."),
        )
    if what_to_do := advice(payout.failure_message):
        why = _("The provider definitely refused it (%(refusal)s). No money has left.")
        return NextStep(why % {"refusal": payout.failure_code}, what_to_do)
    refusal = ": ".join(part for part in (payout.failure_code, translated(payout.failure_message)) if part)
    return NextStep(
        _("The provider definitely refused it (%(refusal)s). No money has left.") % {"refusal": refusal.rstrip(".")},
        _("Fix the cause, then retry. Or leave it as it is."),
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
        case Stage.READY if payout.waits_for.startswith(WAITS_FOR_FUNDS):
            return _("funds in the account")
        case Stage.READY | Stage.PROCESSING:
            return _("the provider")
        case Stage.UNKNOWN:
            return _("find out how it ended")
        case Stage.FAILED if payout.attention or payout.due_at or advice(payout.failure_message):
            return _("see below")
        case Stage.FAILED:
            return _("retry it, or leave it")
        case _:
            return _("nothing")
