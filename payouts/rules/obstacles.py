"""Why a person, or a client, may not do something with a payout: for each verb a sentence, or an empty text.

Where a list needs the rule in SQL, its Q stands beside the function.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import F, Max, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import In
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from payouts.models import (
    Approval,
    Attempt,
    Attention,
    Payout,
    PayoutQuerySet,
    ProviderPause,
    RecipientKey,
    Recovery,
    Route,
)
from payouts.providers import registry
from payouts.rules.closeness import Standing, close_to
from payouts.states import WITHDRAWABLE, Stage, Status, allows

# Of one person on one payout: four approvals, and each can be withdrawn.
DECISIONS_LIMIT = 8
# The provider gave no clear answer: these can be asked about again.
UNANSWERED = (Attention.NOT_FOUND, Attention.TOO_MANY_CALLS)
# And these by a person.
ASKABLE = (Attention.NONE, *UNANSWERED, Attention.OTHER_ACCOUNT)
# So long after the database was put back clients may ask again for what it has forgotten.
FORGOTTEN_FOR = timedelta(days=30)
# Clearing a flag on these moves no money.
AT_REST = (Status.PROCESSED, Status.FAILED, Status.RETURNED, Status.REJECTED, Status.CANCELLED)


class Personal(str):
    """An obstacle that lies in this person: somebody else may do it."""

    __slots__ = ()


def why_not_approve(payout: Payout, who: Standing) -> str:
    if obstacle := _why_not_in(payout, Status.PENDING):
        return obstacle
    if payout.is_approved:
        return _all_approved(who)
    if obstacle := _why_no_checker(who):
        return obstacle
    if who.has_approved:
        return Personal(_("You have approved this payout already: another person must approve it too."))
    if who.has_sent_again:
        return Personal(_("You sent this payout again, so another person must approve it."))
    if who.decisions >= DECISIONS_LIMIT:
        return Personal(_("You have approved and withdrawn too many times. Another person must decide."))
    return ""


def may_approve(person: User) -> Q:
    """A filter: the payouts that this person may approve (`why_not_approve` is empty)."""
    if not person.is_active:
        return Q(pk__in=())
    is_open = Q(status=Status.PENDING, approvals_given__lt=F("approvals_required")) & ~Q(attention=Attention.ALTERED)
    # By the number of a person's last decision: the odd ones approve, the even ones withdraw.
    may_again = In(_last_decision(person), range(0, DECISIONS_LIMIT, 2))
    return is_open & ~close_to(person) & ~Q(sent_again_by=person) & Q(may_again)


def has_approved(person: User) -> Q:
    """A filter: the payouts with an approval by this person that was not withdrawn."""
    return Q(In(_last_decision(person), range(1, DECISIONS_LIMIT, 2)))


def decided_people(payouts: Collection[Payout]) -> set[tuple[int, int]]:
    """Pairs of payout and person: those whose approval stands, and those who have changed their mind too often."""
    decisions = Approval.objects.filter(payout__in=payouts, attempt=None).values_list("payout_id", "checker_id")
    last = decisions.annotate(last=Max("number")).order_by()
    return {(payout, person) for payout, person, number in last if number % 2 or number >= DECISIONS_LIMIT}


def _last_decision(person: User) -> Coalesce:
    """A lookup for each payout: with EXISTS, PostgreSQL would read all that the person ever approved."""
    decisions = Approval.objects.filter(payout=OuterRef("pk"), checker=person, attempt=None).order_by("-number")
    return Coalesce(Subquery(decisions.values("number")[:1]), Value(0))


def awaiting(person: User) -> PayoutQuerySet:
    """The payouts that wait for this person's approval; what is held or needs attention waits for something else."""
    return Payout.objects.in_stage(Stage.AWAITING_APPROVAL).filter(may_approve(person))


def awaiting_others(person: User) -> PayoutQuerySet:
    """The payouts that wait for an approval which this person cannot give."""
    return Payout.objects.in_stage(Stage.AWAITING_APPROVAL).exclude(may_approve(person))


def why_not_withdraw_approval(payout: Payout, who: Standing) -> str:
    if obstacle := _why_not_in(payout, Status.PENDING) or why_inactive(who):
        return obstacle
    return "" if who.has_approved else Personal(_("You have not approved this payout."))


def why_not_reject(payout: Payout, who: Standing) -> str:
    return _why_not_move(payout, Status.REJECTED) or _why_contradicted(payout) or _why_no_checker(who)


def why_not_hold(payout: Payout, who: Standing) -> str:
    if obstacle := _why_not_in(payout, Status.PENDING):
        return obstacle
    return _("The payout is on hold already.") if payout.held_at else why_inactive(who)


def why_not_release(payout: Payout, who: Standing) -> str:
    """A held payout, or one that the worker left to a person; for those at rest there is `why_not_clear_flag`.

    What somebody else holds is not released by whoever could have made it.
    """
    if obstacle := _why_not_in(payout, Status.PENDING, Status.UNKNOWN):
        return obstacle
    if obstacle := _why_contradicted(payout):
        return obstacle
    is_held = payout.status == Status.PENDING and payout.held_at
    if is_held and not who.is_holder and (obstacle := _why_no_checker(who)):
        return obstacle
    return why_inactive(who) if is_held or payout.attention else _("The payout is not on hold.")


def why_not_clear_flag(payout: Payout, who: Standing) -> str:
    if obstacle := _why_not_in(payout, *AT_REST) or _why_contradicted(payout):
        return obstacle
    return why_inactive(who) if payout.attention else _("The payout needs no attention.")


def why_not_schedule(payout: Payout, who: Standing) -> str:
    return _why_not_in(payout, Status.PENDING) or why_inactive(who)


def why_not_route(payout: Payout, who: Standing) -> str:
    """It was never sent, as far as anybody can forget: what one account may have paid goes to no other."""
    if obstacle := _why_not_in(payout, Status.PENDING):
        return obstacle
    account = {"account": payout.provider}
    if Attempt.objects.filter(payout=payout).exists():
        return _("It was sent to the account %(account)s, and stays with it.") % account
    lost = Q(ended_at=None) | Q(began_at__gt=payout.created_at - FORGOTTEN_FOR)
    if Recovery.objects.filter(lost).exists():
        return (
            _("The database was put back and may have forgotten that it was sent: it stays with %(account)s.")
            % account
        )
    if payout.provider == registry.default() and not Route.objects.exists():
        return _("There is no route.")
    return why_inactive(who)


def why_not_cancel(payout: Payout, who: Standing) -> str:
    return _why_not_move(payout, Status.CANCELLED) or _why_contradicted(payout) or why_inactive(who)


def why_not_withdraw(payout: Payout, who: Standing) -> str:
    if payout.attention == Attention.ALTERED:
        return _not_now(payout)
    if payout.status not in WITHDRAWABLE:
        return _("A payout can be withdrawn while it is pending, or when it was cancelled or rejected.")
    return _why_contradicted(payout)


def why_not_settle(payout: Payout, who: Standing) -> str:
    """It must be approved, released and not on hold, like any other payment."""
    if obstacle := _why_not_in(payout, Status.PENDING):
        return obstacle
    if not payout.is_approved:
        return _("The payout still waits for approvals.")
    if payout.release_at and payout.release_at > who.at:
        return _("The last approval can still be withdrawn. Settle the payout when the release delay is over.")
    return _("The payout is on hold.") if payout.held_at or payout.attention else why_inactive(who)


def why_not_retry(payout: Payout, who: Standing) -> str:
    """A failed one alone: by hand, what is processing or unknown never goes back to pending."""
    if obstacle := _why_not_in(payout, Status.FAILED):
        return obstacle
    if payout.attention:
        return _("The payout needs attention first: find out why, then clear the flag.")
    if payout.due_at:
        return _("The provider is being asked whether the payout was paid after all. Retry it when that is known.")
    return why_inactive(who) or (why_erased(payout.erasure) if payout.erasure else "")


def why_erased(key: RecipientKey) -> str:
    """Why nobody sees or pays the recipient of this erased key any more."""
    assert key.erased_at is not None
    return _("The recipient was erased on %(day)s.") % {
        "day": date_format(timezone.localtime(key.erased_at), "DATE_FORMAT")
    }


def why_not_ask_now(payout: Payout, who: Standing) -> str:
    is_sent = payout.status in (Status.PROCESSING, Status.UNKNOWN)
    if not is_sent or payout.attention not in ASKABLE:
        return _("There is nothing to ask the provider about this payout now.")
    if is_being_asked(payout, who.at):
        return _asked_just_now()
    if ProviderPause.objects.filter(provider=payout.provider, resumed_at=None).exists():
        return _("The provider %(provider)s is paused. It will be asked again when somebody resumes it.") % {
            "provider": payout.provider
        }
    return why_inactive(who)


def why_not_resolve(payout: Payout, who: Standing) -> str:
    """What is unknown, and what the provider contradicts."""
    is_contradicted = payout.attention == Attention.CONTRADICTED and who.contradicted
    is_closed = "" if is_contradicted else _why_not_in(payout, Status.UNKNOWN)
    if obstacle := is_closed or _why_no_checker(who):
        return obstacle
    if who.has_resolved:
        return Personal(_("You have submitted your decision on this payout already."))
    return _asked_just_now() if is_being_asked(payout, who.at) else ""


def why_not_say_unpaid(payout: Payout, attempt: Attempt) -> str:
    """Refuses while news waits to be read: it may say that the payout was paid, and “not paid” lets it go again."""
    if payout.status == Status.PROCESSED and attempt.outcome == Attempt.Outcome.SUCCEEDED:
        return _("The payout is recorded as paid. If the money came back or never left, record the return.")
    return _asked_just_now() if payout.news_at and payout.due_at else ""


def why_not_record_return(payout: Payout, who: Standing) -> str:
    return _why_not_move(payout, Status.RETURNED) or _why_no_checker(who)


def why_not_reveal(payout: Payout, who: Standing) -> str:
    if payout.attention == Attention.ALTERED:
        return _not_now(payout)
    return why_inactive(who) or (why_erased(payout.erasure) if payout.erasure else "")


def why_not_confirm_unchanged(payout: Payout, who: Standing) -> str:
    """People say why it was flagged; that it is unchanged is for its seal to show."""
    if payout.attention != Attention.ALTERED:
        return _("The payout is not flagged as changed outside the product.")
    if not payout.is_sealed_but_for_flag:
        return _("Its seal does not fit: the row was changed. Have it put back as it was, then confirm it.")
    if obstacle := _why_no_checker(who):
        return obstacle
    if who.has_confirmed:
        return Personal(_("You have confirmed it, so another person must agree."))
    return ""


def why_not_in_bulk(payout: Payout, *, is_approval: bool, is_hold: bool) -> str:
    """What is left out of a decision on many, although it may be decided on its own page."""
    if payout.attention == Attention.ALTERED:
        return altered()
    if payout.attention and not is_hold:
        return _("It needs attention: %(problem)s. Open its page to decide.") % {
            "problem": payout.get_attention_display()
        }
    if payout.held_at and is_approval:
        return _("It is on hold: release it first, or open its page to decide.")
    return ""


def is_being_asked(payout: Payout, at: datetime) -> bool:
    """Whether a worker holds it under a lease, to call the provider."""
    return bool(payout.lease_token and payout.due_at and payout.due_at > at)


def _why_contradicted(payout: Payout) -> str:
    if payout.attention != Attention.CONTRADICTED:
        return ""
    return _("The provider contradicts our record. First two people must record how the payout ended.")


def _why_not_move(payout: Payout, to_status: Status) -> str:
    if payout.attention == Attention.ALTERED or not allows(payout.status, to_status):
        return _not_now(payout)
    return ""


def _why_not_in(payout: Payout, *statuses: Status) -> str:
    if payout.attention == Attention.ALTERED or payout.status not in statuses:
        return _not_now(payout)
    return ""


def _not_now(payout: Payout) -> str:
    if payout.attention == Attention.ALTERED:
        return altered()
    return _("The payout is in the stage “%(stage)s”, in which this is not possible.") % {"stage": payout.stage.label}


def altered() -> str:
    return _("This payout was changed outside the product. Nothing may be done with it before an audit.")


def _all_approved(who: Standing) -> str:
    """Names who already approved."""
    if not who.approvers:
        return _("The payout needs no approval.")
    names = ", ".join(who.approvers)
    return _("The payout has all the approvals that it needs: already approved by %(names)s.") % {"names": names}


def _why_no_checker(who: Standing) -> str:
    if not who.is_active:
        return _closed_account()
    if who.is_client_altered:
        return _("The API client that made this payout was changed outside the product: nobody may decide on it.")
    if who.is_maker:
        return Personal(_("You made this payout, so another person must decide on it."))
    if who.is_owner:
        return Personal(
            _("You own or owned the API client that made this payout, so another person must decide on it.")
        )
    if who.handled_keys:
        return Personal(
            _("You handled a key of the API client that made this payout, so another person must decide on it.")
        )
    return ""


def why_inactive(who: Standing | User) -> str:
    return "" if who.is_active else _closed_account()


def _closed_account() -> Personal:
    return Personal(_("This account is closed: another person must decide."))


def _asked_just_now() -> str:
    return _("The provider is being asked about it just now. Try again in a minute.")
