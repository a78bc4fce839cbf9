"""What a worker is given with each payout that it has claimed: whom to call, with which key, and what it may do."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.conf import settings

from payouts import money, references
from payouts.models import Approval, Attempt, Payout
from payouts.providers import Instruction, registry

# How many retries may have been forgotten: a payout is rarely sent again more often.
LATER_KEYS = 3


@dataclass(frozen=True, slots=True)
class Assignment:
    """One claimed payout: what to call the provider with, and the token that its result must carry."""

    payout_id: int
    lease_token: uuid.UUID
    attempt: Attempt
    instruction: Instruction
    is_first_call: bool
    may_post: bool
    earlier: tuple[Attempt, ...] = ()
    """The refused attempts before this one: their keys are looked up before this one is sent."""
    later: tuple[uuid.UUID, ...] = ()
    """In recovery mode, or where a payment was heard of, the keys of the next attempts, which the database may have
    forgotten: looked up likewise."""
    elsewhere: tuple[str, ...] = ()
    """In recovery mode the other accounts, and otherwise those that were heard to know such a key: a route that is
    forgotten may have sent it there. They are asked before it is sent."""
    told: Mapping[str, str] = field(default_factory=dict)
    """The accounts that were heard to know such a key, with what each calls the payment of this one."""
    forgotten_at: datetime | None = None
    """When recovery mode began: such a key may have been sent until then, and a search can be behind for a while."""
    sent_until: datetime | None = None
    """Until when the calls before this one may have sent its key."""
    client_id: int | None = None
    """The API client that submitted the payout, for the log."""

    @property
    def called_at(self) -> datetime:
        """When it was claimed, by the database's clock, as all times here: those of workers differ."""
        return self.attempt.last_called_at or self.attempt.created_at

    @property
    def of_refused(self) -> Instruction:
        """What to confirm with that nothing was paid under its key, which must not be believed too soon.

        Where it is believed another key pays, and what the calls before this one have sent may be on its way.
        """
        return replace(self.instruction, quiet=self._since(self.sent_until or self.called_at))

    def of_earlier(self, attempt: Attempt) -> Instruction:
        """What to look an earlier attempt up with, likewise."""
        return replace(
            self.instruction,
            reference=attempt.reference,
            provider_id=attempt.provider_id,
            age=self._since(attempt.created_at),
            quiet=self._since(sent_until(attempt)),
        )

    def of_later(self, key: uuid.UUID) -> Instruction:
        """What to look up with whether an attempt was made, or made at another account, that is forgotten."""
        age = self._since(self.forgotten_at or self.called_at)
        return replace(self.instruction, reference=key, provider_id="", age=age)

    def of_elsewhere(self, key: uuid.UUID, account: str) -> Instruction:
        """What to look up with whether that account was sent the key, this attempt's or a later one's."""
        known_as = self.told.get(account, "") if key == self.attempt.reference else ""
        return replace(self.of_later(key), provider_id=known_as)

    def _since(self, at: datetime) -> timedelta:
        return max(timedelta(), self.called_at - at)

    @property
    def is_doubted(self) -> bool:
        """Whether the attempt was refused, and may have been paid: it is looked up, and never sent."""
        return self.attempt.outcome == Attempt.Outcome.REFUSED


@dataclass(frozen=True, slots=True)
class Call:
    """A claimed payout, the attempt to call for, and whether its key may be sent."""

    payout: Payout
    attempt: Attempt
    may_post: bool
    sent_until: datetime | None = None
    """Until when the calls before this one may have sent the key; None: this is the first."""

    @property
    def later_keys(self) -> tuple[uuid.UUID, ...]:
        """Of the next attempts, which the database may have forgotten."""
        numbers = range(self.attempt.number + 1, self.attempt.number + 1 + LATER_KEYS)
        return tuple(references.attempt_reference(self.payout.reference, number) for number in numbers)


def sent_until(attempt: Attempt) -> datetime:
    """Until when the calls so far may have sent its key: whatever a claim does, it does before its lease ends.

    What ended it came after all calls: the provider's word with the present lease, people's while nobody held one.
    """
    lease_ended = attempt.last_called_at + timedelta(seconds=settings.LEASE_SECONDS)
    return min(lease_ended, attempt.finished_at or lease_ended)


def assignments(
    calls: Sequence[Call],
    history: dict[int, list[Attempt]],
    *,
    unheard_of: set[uuid.UUID],
    told: dict[uuid.UUID, dict[str, str]],
    forgotten_at: datetime | None,
) -> list[Assignment]:
    """One for each call.

    `unheard_of` are the keys that the provider cannot know yet, `told` the accounts that were heard to know one, or
    the payout's next ones; `forgotten_at` is when recovery mode began, if it has.
    """
    made = []
    for call in calls:
        payout, attempt = call.payout, call.attempt
        heard = told.get(attempt.reference, {})
        names = [*heard, *(registry.known_names() if forgotten_at else ())]
        assignment = _assignment(
            payout,
            attempt,
            is_first_call=attempt.reference in unheard_of,
            may_post=call.may_post,
            earlier=tuple(each for each in history.get(payout.pk, ()) if each.number < attempt.number),
            later=call.later_keys if forgotten_at or heard else (),
            elsewhere=tuple(name for name in dict.fromkeys(names) if name != attempt.provider),
            told=heard,
            forgotten_at=forgotten_at,
            sent_until=call.sent_until,
        )
        made.append(assignment)
    return made


def may_post_again(attempt: Attempt, lease_ends_at: datetime, disputed: set[int]) -> bool:
    """Whether its key may be sent again where the provider has nothing under it."""
    return (
        attempt.outcome == Attempt.Outcome.OPEN
        and lease_ends_at < attempt.key_expires_at  # whatever a claim does, it does before its lease ends
        and attempt.pk not in disputed
    )


def disputed(attempts: Iterable[Attempt]) -> set[int]:
    """Attempts about which a person has given evidence: whatever it says, the key must not be sent again."""
    unknown = [attempt.pk for attempt in attempts if attempt.outcome == Attempt.Outcome.OPEN]
    return set(Approval.objects.filter(attempt__in=unknown).values_list("attempt_id", flat=True).distinct())


def _assignment(
    payout: Payout,
    attempt: Attempt,
    *,
    is_first_call: bool,
    may_post: bool,
    earlier: tuple[Attempt, ...],
    later: tuple[uuid.UUID, ...],
    elsewhere: tuple[str, ...],
    told: Mapping[str, str],
    forgotten_at: datetime | None,
    sent_until: datetime | None,
) -> Assignment:
    assert payout.lease_token is not None
    return Assignment(
        payout_id=payout.pk,
        lease_token=payout.lease_token,
        attempt=attempt,
        instruction=Instruction(
            reference=attempt.reference,
            payout=payout.reference,
            amount=money.exact(payout.amount, payout.currency),
            currency=payout.currency,
            recipient=payout.recipient_details,
            request_id=payout.trace_id,
            provider_id=attempt.provider_id,
            age=(attempt.last_called_at or attempt.created_at) - attempt.created_at,
        ),
        is_first_call=is_first_call,
        may_post=may_post,
        earlier=earlier,
        later=later,
        elsewhere=elsewhere,
        told=told,
        forgotten_at=forgotten_at,
        sent_until=sent_until,
        client_id=payout.client_id,
    )
