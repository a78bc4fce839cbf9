"""What a person is to a payout: its maker, close to its API client, one who approved it or was asked about it.

Who is close to a payout must not check it. Where a list needs that in SQL, its Q stands beside the function.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone

from payouts.models import (
    ApiClient,
    Approval,
    Attempt,
    Attention,
    Confirmation,
    Payout,
    by_payout,
    contradicted_attempts,
)
from payouts.states import Status

# Ties are dated by the web server's clock, approvals by the database's. The trigger refuses what lies between.
CLOCKS_DIFFER_BY = timedelta(minutes=1)


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
