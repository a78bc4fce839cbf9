"""Who may do what, and why not: each rule is written here, once.

For each verb one function gives the obstacle as a sentence, or an empty text. Its action asks it under the row's lock
and raises the sentence (`refuse_if`); pages, queues, bulk pages and the API show it. Where a list needs the rule in
SQL, its Q stands beside the function. The database itself refuses an approval by the wrong person: trigger
`approval_maker_is_not_checker`, migrations/0002_guards.py. tests/payouts/test_rules.py holds the three together.

What a person's role allows is a permission of Django's, declared with each verb in payouts/actions/verbs.py.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import F, Max, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import In
from django.utils import timezone
from django.utils.translation import gettext as _

from payouts.models import (
    ApiClient,
    Approval,
    Attempt,
    Attention,
    Confirmation,
    Payout,
    PayoutQuerySet,
    ProviderPause,
    by_payout,
    contradicted_attempts,
)
from payouts.states import WITHDRAWABLE, Stage, Status, allows

# Of one person on one payout: four approvals, and each can be withdrawn.
DECISIONS_LIMIT = 8
# The provider gave no clear answer: these can be asked about again.
UNANSWERED = (Attention.NOT_FOUND, Attention.TOO_MANY_CALLS)
# And these by a person.
ASKABLE = (Attention.NONE, *UNANSWERED, Attention.OTHER_ACCOUNT)
# Clearing a flag on these moves no money.
AT_REST = (Status.PROCESSED, Status.FAILED, Status.RETURNED, Status.REJECTED, Status.CANCELLED)


# Ties are dated by the web server's clock, approvals by the database's. The trigger refuses what lies between.
CLOCKS_DIFFER_BY = timedelta(minutes=1)


class Personal(str):
    """An obstacle that lies in this person: somebody else may do it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person is to a payout at a moment. The defaults are those of an API client, which is no person."""

    at: datetime
    is_active: bool = True
    is_maker: bool = False
    is_owner: bool = False  # of the API client that made it, now or before
    handled_keys: bool = False  # of that client
    is_holder: bool = False  # put it on hold
    is_client_altered: bool = False  # by SQL: nobody knows who is close to it
    approvers: tuple[str, ...] = ()  # names of those whose approval stands
    has_approved: bool = False
    has_sent_again: bool = False  # although a newer payout looks like it
    decisions: int = 0  # this person's approvals and withdrawals
    contradicted: str = ""  # the key of the attempt whose record the provider contradicted last
    has_resolved: bool = False  # answered what people are asked at present: `present_resolutions`
    has_confirmed: bool = False  # said that it is unchanged

    @property
    def is_close(self) -> bool:
        """Whether this person has made it, or could have: then somebody else must check it."""
        return self.is_maker or self.is_owner or self.handled_keys or self.is_client_altered


def standing(payout: Payout, person: User, *, at: datetime | None = None) -> Standing:
    return standings([payout], person, at=at)[payout.pk]


def standings(payouts: Collection[Payout], person: User, *, at: datetime | None = None) -> dict[int, Standing]:
    """What the person is to each of these payouts, by its id, in four queries however many there are.

    Whether the account is open is read anew: it may have been closed since the request began.
    """
    at = at or timezone.now()
    is_active = person.is_active and User.objects.filter(pk=person.pk, is_active=True).exists()
    clients = _clients({payout.client_id for payout in payouts if payout.client_id})
    approvals = Approval.objects.filter(payout__in=payouts).select_related("checker", "attempt")
    decided = by_payout(approvals.order_by("number", "pk"))
    flagged = [payout for payout in payouts if payout.attention == Attention.ALTERED]
    said = Confirmation.objects.filter(payout__in=flagged, said_by=person).select_related("payout") if flagged else ()
    confirmed = {(each.payout_id, each.version) for each in said if each.is_sealed}
    asked = [
        payout
        for payout in payouts
        if payout.attention == Attention.CONTRADICTED or any(each.attempt for each in decided[payout.pk])
    ]
    doubts = contradicted_attempts(asked) if asked else {}
    return {
        payout.pk: replace(
            _standing(
                payout, person, at, clients.get(payout.client_id or 0), decided[payout.pk], doubts.get(payout.pk, [])
            ),
            has_confirmed=(payout.pk, payout.version) in confirmed,
            is_active=is_active,
        )
        for payout in payouts
    }


def _standing(
    payout: Payout,
    person: User,
    at: datetime,
    client: ApiClient | None,
    approvals: list[Approval],
    doubts: list[str],
) -> Standing:
    given = standing_approvals(approval for approval in approvals if approval.attempt is None)
    own = [approval for approval in approvals if approval.checker_id == person.pk]
    return Standing(
        at=at,
        is_maker=payout.maker_id == person.pk,
        is_owner=client is not None and person.pk in client.owner_ids,
        handled_keys=client is not None and person.pk in client.handler_ids,
        is_holder=payout.held_by_id == person.pk,
        is_client_altered=client is not None and not client.is_sealed,
        approvers=tuple(approval.checker.get_username() for approval in given.values()),
        has_approved=person.pk in given,
        has_sent_again=payout.sent_again_by_id == person.pk,
        decisions=sum(approval.attempt is None for approval in own),
        contradicted=doubts[-1] if doubts else "",
        has_resolved=bool(present_resolutions(payout, own, doubts)),
    )


def present_resolutions(payout: Payout, approvals: Iterable[Approval], doubts: list[str]) -> list[Approval]:
    """Those that answer what people are asked at present: how the open attempt ended, or the contradicted one.

    `doubts` are the payout's `contradicted_attempts`; each begins a new round, with a new number.
    """
    return [
        approval
        for approval in approvals
        if approval.attempt
        and approval.number == len(doubts) + 1
        and (
            approval.attempt.outcome != Attempt.Outcome.REFUSED
            if payout.status == Status.UNKNOWN
            else [str(approval.attempt.reference)] == doubts[-1:]
        )
    ]


def standing_approvals(approvals: Iterable[Approval]) -> dict[int, Approval]:
    """Those that were not withdrawn, by checker; `approvals` come in the order of their numbers."""
    last = {approval.checker_id: approval for approval in approvals}
    return {checker: approval for checker, approval in last.items() if approval.decision == Approval.Decision.APPROVE}


# Who must not check a payout: whoever made it, owns or owned its API client, or handled that client's keys. Who has
# made or revoked a key may have seen it, and could have submitted with it. `ApiClient.ties` says who, under a seal;
# while that does not fit, nobody may check what the client made.


def is_close(payout: Payout, person: User) -> bool:
    """Whether the person must not check this payout."""
    if payout.maker_id == person.pk:
        return True
    return any(
        not client.is_sealed or person.pk in client.close_ids
        for client in _clients({payout.client_id} if payout.client_id else ()).values()
    )


def close_people(payouts: Collection[Payout]) -> set[tuple[int, int]]:
    """`is_close` for all people: pairs of a payout's id and a person's."""
    clients = _clients({payout.client_id for payout in payouts if payout.client_id})
    tied = {client.pk: client.close_ids for client in clients.values()}
    makers = {(payout.pk, payout.maker_id) for payout in payouts if payout.maker_id}
    return makers | {(payout.pk, person) for payout in payouts for person in tied.get(payout.client_id or 0, ())}


def close_to(person: User) -> Q:
    """A filter: the payouts that this person must not check (`is_close`)."""
    number = str(person.pk)
    tied = Q(owner=person) | Q(ties__owners__has_key=number) | Q(ties__handlers__has_key=number)
    return Q(maker=person) | Q(client__in=ApiClient.objects.filter(tied).values("pk"))


def is_makers_own(approval: Approval, payout: Payout) -> bool:
    return approval.checker_id == payout.maker_id


def was_close(payout: Payout, approval: Approval, since: dict[tuple[int, int], datetime]) -> bool:
    """Whether the checker was close to the payout already when they decided; `since` is `close_since`.

    Withdrawing an approval is the safe direction: anybody who gave one may.
    """
    if approval.decision == Approval.Decision.WITHDRAW:
        return False
    if is_makers_own(approval, payout):
        return True
    began_at = since.get((payout.client_id, approval.checker_id)) if payout.client_id else None
    return began_at is not None and began_at + CLOCKS_DIFFER_BY <= approval.at


def close_since(clients: Collection[int]) -> dict[tuple[int, int], datetime]:
    """Since when each person is close to each of these clients, by the ids of both."""
    found: dict[tuple[int, int], datetime] = {}
    for client in _clients(clients).values():
        for people in client.ties.values() if client.is_sealed else ():
            for number, began in people.items():
                began_at = datetime.fromisoformat(began)
                place = client.pk, int(number)
                found[place] = min(found.get(place, began_at), began_at)
    return found


def people_of_client(client_id: int) -> set[int]:
    """Everybody who owns or owned this client, or handled its keys: they are no checkers of anything about it."""
    return {person for client in _clients({client_id}).values() for person in client.close_ids}


def _clients(ids: Collection[int]) -> dict[int, ApiClient]:
    return ApiClient.objects.in_bulk(ids) if ids else {}


# Verbs: why not


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
    if obstacle := _why_not_move(payout, Status.PENDING):
        return obstacle
    if payout.attention:
        return _("The payout needs attention first: find out why, then clear the flag.")
    if payout.due_at:
        return _("The provider is being asked whether the payout was paid after all. Retry it when that is known.")
    return why_inactive(who)


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
    return _not_now(payout) if payout.attention == Attention.ALTERED else why_inactive(who)


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
