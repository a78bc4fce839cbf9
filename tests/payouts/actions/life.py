"""A payout's life in plain Python, told from the rules and not from the code: the product is held to it step by step.

Nothing of the product is imported but the provider's interface, so that a mistake there is not copied here. Refusals
are sets of names: where several rules forbid a step, whichever is met first may be the one that is named.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from math import inf
from uuid import UUID, uuid4

from payouts.providers import Answer, Instruction, Verdict

MOVES = {
    "pending": {"processing", "processed", "rejected", "cancelled"},
    "processing": {"pending", "processed", "failed", "unknown"},
    "unknown": {"pending", "processed", "failed"},
    "failed": {"pending", "processed"},
    "processed": {"returned"},
    "rejected": set(),
    "cancelled": set(),
    "returned": set(),
}
MOST_CALLS, MOST_LOST_LEASES, LOST_LEASES_OF_A_SUSPECT = 6, 5, 1
MOST_DOUBTFUL_CALLS = 7
MOST_TAKEN_BACK = 4
NOT_FOUND, VERSION, NOT_ALLOWED = {"NotFoundError"}, {"VersionError"}, {"NotAllowedError"}
FOUR_EYES, INVALID, REUSED_KEY = {"FourEyesError"}, {"InvalidError"}, {"IdempotencyError"}
LATER = inf
"""Due some time, but not before the test lets that time come."""


@dataclass
class Attempt:
    number: int
    key: UUID | None = None
    calls: int = 1
    outcome: str = "open"
    is_accepted: bool = False
    outlives_a_lease: bool = True
    was_answered_as_paid: bool = False
    """The provider has answered so since the attempt was refused."""
    was_heard_as_paid: bool = False
    """A webhook has said so, whenever it was."""
    told_of_earlier: int = 0
    """Calls that asked about an earlier attempt, and so sent nothing."""
    heard_calls: set[int] = field(default_factory=set)
    """Those whose answer was recorded, with a lease or without."""
    voices: dict[str, str] = field(default_factory=dict)


@dataclass
class Payout:
    id: int
    reference: UUID
    client: str | None
    maker: str | None
    needs: int
    is_put_off: bool
    status: str = "pending"
    sent_again_by: str | None = None
    approved_by: list[str] = field(default_factory=list)
    taken_back: list[str] = field(default_factory=list)
    is_held: bool = False
    holder: str = ""
    attention: str = ""
    is_withdrawn: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    events: list[tuple[str, str | None, str]] = field(default_factory=list)
    due: float | None = None
    lease: UUID | None = None
    lost_leases: int = 0
    has_news: bool = False
    """The provider has spoken, and no clear answer to a later call has come."""
    waits_for_funds: bool = False
    is_newer: bool = False
    """It has spoken since it was last asked."""
    doubts: list[UUID] = field(default_factory=list)
    """The keys of those attempts whose record the provider has contradicted; each asks people anew."""
    said: dict[tuple[UUID | None, int], dict[str, str]] = field(default_factory=dict)
    """What people have said of an attempt, each time they were asked."""
    was_misjudged: bool = False
    """Two people have testified against the provider's own books."""

    @property
    def version(self) -> int:
        return len(self.events)

    @property
    def attempt(self) -> Attempt:
        return self.attempts[-1]

    def attempt_of(self, key: UUID) -> Attempt:
        return next(attempt for attempt in self.attempts if attempt.key == key)

    @property
    def is_approved(self) -> bool:
        return len(self.approved_by) >= self.needs

    @property
    def is_stopped(self) -> bool:
        return self.is_held or self.attention != ""

    @property
    def stage(self) -> str:
        if self.status != "pending":
            return self.status
        if self.is_stopped:
            return "held"
        if not self.is_approved:
            return "awaiting_approval"
        return "scheduled" if self.is_put_off else "ready"

    @property
    def is_being_called(self) -> bool:
        return self.lease is not None and self.due == LATER

    @property
    def is_suspect(self) -> bool:
        """Two claims in a row ended in no record; the second is not counted before it is claimed again."""
        return self.lost_leases >= LOST_LEASES_OF_A_SUSPECT

    def move(self, event: str, to_status: str | None = None) -> None:
        to_status = to_status or self.status
        if to_status != self.status:
            assert to_status in MOVES[self.status]
        self.events.append((event, self.status, to_status))
        self.status = to_status
        self.waits_for_funds = False

    def finish(self, event: str, outcome: str) -> None:
        """The attempt has ended, by the provider's word or by two people's; a refused one was paid after all."""
        self.attempt.outcome = outcome
        self.attempt.was_answered_as_paid &= outcome == "succeeded"
        self.move(event, {"succeeded": "processed", "refused": "failed"}[outcome])
        self.lease = self.due = None
        self.lost_leases = 0
        if outcome == "refused":
            self.has_news = False

    @property
    def in_question(self) -> Attempt:
        """The attempt of which people are asked how it ended."""
        return self.attempt if self.status == "unknown" else self.attempt_of(self.doubts[-1])

    @property
    def voices(self) -> dict[str, str]:
        return self.said.setdefault((self.in_question.key, len(self.doubts)), {})

    def flag(self, attention: str, key: UUID | None = None) -> None:
        """No more without a person; what is failed and may have been paid, without two."""
        self.attention = "contradicted" if self.status == "failed" and self.due is not None else attention
        if self.attention == "contradicted":
            self.doubts.append(key or self.attempt.key)
        self.move("flagged", "unknown" if self.status == "processing" else None)
        self.lease = self.due = None
        self.lost_leases = 0


class Life:
    """All payouts, and the order in which they came due."""

    def __init__(self) -> None:
        self.payouts: list[Payout] = []
        self._moments = count()
        self._by_key: dict[tuple[str, str], tuple[Payout, object]] = {}
        self._amounts: list[tuple[Payout, object]] = []

    def now(self) -> float:
        return float(next(self._moments))

    # Who may

    def refuses(self, payout: Payout, *, client: str | None, version: int | None) -> set[str]:
        """What forbids any action at all. A client finds its own payouts only; people find everything."""
        if client is not None and (payout.client != client or payout.is_withdrawn):
            return NOT_FOUND
        return VERSION if version is not None and version != payout.version else set()

    def refuses_nothing(self, payout: Payout, by: str) -> set[str]:
        return set()

    def refuses_unless_pending(self, payout: Payout, by: str) -> set[str]:
        return set() if payout.status == "pending" else NOT_ALLOWED

    def refuses_approve(self, payout: Payout, by: str) -> set[str]:
        is_open = payout.status == "pending" and not payout.is_approved
        is_barred = (
            by in {payout.maker, payout.sent_again_by}
            or by in payout.approved_by
            or payout.taken_back.count(by) == MOST_TAKEN_BACK
        )
        return (set() if is_open else NOT_ALLOWED) | (FOUR_EYES if is_barred else set())

    def refuses_withdraw_approval(self, payout: Payout, by: str) -> set[str]:
        return self.refuses_unless_pending(payout, by) | (set() if by in payout.approved_by else FOUR_EYES)

    def refuses_ask_now(self, payout: Payout, by: str) -> set[str]:
        is_sent = payout.status in {"processing", "unknown"} and not payout.is_being_called
        return set() if is_sent and payout.attention in {"", "not_found", "too_many_calls"} else NOT_ALLOWED

    def refuses_unless_clear(self, payout: Payout, by: str) -> set[str]:
        """What the provider contradicts is not closed and not let go: two people must say first how it ended."""
        is_clear = payout.status == "pending" and payout.attention != "contradicted"
        return set() if is_clear else NOT_ALLOWED

    def refuses_reject(self, payout: Payout, by: str) -> set[str]:
        return self.refuses_unless_clear(payout, by) | (FOUR_EYES if by == payout.maker else set())

    def refuses_hold(self, payout: Payout, by: str) -> set[str]:
        return set() if payout.status == "pending" and not payout.is_held else NOT_ALLOWED

    def refuses_release(self, payout: Payout, by: str) -> set[str]:
        is_held = payout.is_held and payout.status == "pending"
        is_stopped = payout.attention and payout.status in {"pending", "unknown"}
        is_clear = payout.attention != "contradicted"
        if not ((is_held or is_stopped) and is_clear):
            return NOT_ALLOWED
        return FOUR_EYES if is_held and by == payout.maker and by != payout.holder else set()

    def refuses_clear_flag(self, payout: Payout, by: str) -> set[str]:
        is_at_rest = payout.status in {"processed", "failed", "returned", "rejected", "cancelled"}
        return set() if payout.attention not in {"", "contradicted"} and is_at_rest else NOT_ALLOWED

    def refuses_settle(self, payout: Payout, by: str) -> set[str]:
        is_free = payout.status == "pending" and payout.is_approved and not payout.is_stopped
        return set() if is_free else NOT_ALLOWED

    def refuses_withdraw(self, payout: Payout, by: str) -> set[str]:
        is_free = payout.status in {"pending", "cancelled", "rejected"} and payout.attention != "contradicted"
        return set() if is_free else NOT_ALLOWED

    def refuses_retry(self, payout: Payout, by: str) -> set[str]:
        is_free = payout.status == "failed" and not payout.attention and payout.due is None
        return set() if is_free else NOT_ALLOWED

    def refuses_record_return(self, payout: Payout, by: str) -> set[str]:
        is_paid = payout.status == "processed"
        return (set() if is_paid else NOT_ALLOWED) | (FOUR_EYES if by == payout.maker else set())

    def refuses_resolve(self, payout: Payout, by: str, evidence: str, decision: str = "paid") -> set[str]:
        """What was not paid can be sent again, so that cannot be said while the provider's news wait to be read."""
        is_too_early = decision == "not_paid" and payout.has_news and payout.due is not None
        is_asked = payout.status == "unknown" or payout.attention == "contradicted"
        is_recorded = payout.status == "processed" and is_asked and payout.in_question.outcome == "succeeded"
        is_said_unpaid = decision == "not_paid" and is_recorded
        is_open = is_asked and not payout.is_being_called and not is_too_early and not is_said_unpaid
        is_barred = by == payout.maker or (is_asked and by in payout.voices)
        return (
            (set() if evidence.strip() else INVALID)
            | (set() if is_open else NOT_ALLOWED)
            | (FOUR_EYES if is_barred else set())
        )

    # What people do

    def earlier(self, client: str | None, key: str | None, content: object) -> tuple[Payout | None, set[str]]:
        """The payout that was submitted with this key, and what forbids to give it again."""
        first, its_content = self._by_key.get((client or "", key or ""), (None, None))
        if first is None:
            return None, set()
        refusals = set()
        if content != its_content:
            refusals |= REUSED_KEY
        if first.is_withdrawn:
            refusals |= NOT_ALLOWED
        return first, refusals

    def needs(self, band: int, client: str | None, amount: object, key: str | None) -> int:
        """How many must approve: by hand it is one at least, and what came without a key before needs one more."""
        is_repeated = key is None and any(
            (earlier.client, its_amount) == (client, amount) and earlier.status not in {"cancelled", "rejected"}
            for earlier, its_amount in self._amounts
        )
        return (band if client else max(band, 1)) + is_repeated

    def submit(self, payout: Payout, key: str | None, content: object, amount: object) -> None:
        payout.events.append(("submitted", None, "pending"))
        self.payouts.append(payout)
        self._amounts.append((payout, amount))
        if key is not None:
            self._by_key[payout.client or "", key] = payout, content
        self._make_ready(payout)

    def approve(self, payout: Payout, by: str) -> None:
        payout.approved_by.append(by)
        payout.move("approved")
        self._make_ready(payout)

    def withdraw_approval(self, payout: Payout, by: str) -> None:
        payout.approved_by.remove(by)
        payout.taken_back.append(by)
        payout.move("approval_withdrawn")
        self._make_ready(payout)

    def ask_now(self, payout: Payout, by: str) -> None:
        payout.attention = ""
        payout.due = self.now()
        payout.move("asked")

    def hold(self, payout: Payout, by: str) -> None:
        payout.is_held, payout.holder = True, by
        payout.move("held")
        self._make_ready(payout)

    def release(self, payout: Payout, by: str) -> None:
        payout.is_held, payout.attention = False, ""
        payout.move("released")
        if payout.status == "unknown" or (payout.status in {"processed", "failed"} and payout.has_news):
            payout.due = self.now()
        self._make_ready(payout)

    def put_off(self, payout: Payout, by: str) -> None:
        self._schedule(payout, is_put_off=True)

    def pay_at_once(self, payout: Payout, by: str) -> None:
        self._schedule(payout, is_put_off=False)

    def _schedule(self, payout: Payout, *, is_put_off: bool) -> None:
        payout.is_put_off = is_put_off
        payout.move("scheduled")
        self._make_ready(payout)

    def reject(self, payout: Payout, by: str) -> None:
        self._close(payout, "rejected", "rejected")

    def cancel(self, payout: Payout, by: str) -> None:
        self._close(payout, "cancelled", "cancelled")

    def settle(self, payout: Payout, by: str) -> None:
        self._close(payout, "settled", "processed")

    def withdraw(self, payout: Payout, by: str) -> None:
        payout.is_withdrawn = True
        self._close(payout, "withdrawn", "cancelled" if payout.status == "pending" else payout.status)

    def record_return(self, payout: Payout, by: str) -> None:
        payout.attention = ""
        self._close(payout, "returned", "returned")

    def _close(self, payout: Payout, event: str, to_status: str) -> None:
        payout.move(event, to_status)
        payout.due = payout.lease = None
        payout.has_news = False

    def retry(self, payout: Payout, by: str) -> None:
        """Beside a newer one of the same client and amount it takes another person."""
        amounts = {each.id: amount for each, amount in self._amounts}
        if any(
            (each.client, amounts[each.id]) == (payout.client, amounts[payout.id])
            and each.id > payout.id
            and each.status not in {"cancelled", "rejected"}
            for each in self.payouts
        ):
            payout.needs += 1
            payout.sent_again_by = by
        payout.move("retried", "pending")
        self._make_ready(payout)

    def resolve(self, payout: Payout, by: str, decision: str, *, was_paid: bool | None) -> None:
        """Two people who say the same make it so. `was_paid` is what the provider's books say; None is not yet."""
        attempt = payout.in_question
        is_seconded = decision in payout.voices.values()
        payout.voices[by] = attempt.voices[by] = decision
        if not is_seconded:
            payout.move("resolution_proposed")
            self._make_ready(payout)
            return
        payout.was_misjudged |= was_paid is None or was_paid != (decision == "paid")
        if payout.status == "unknown":
            payout.attention = payout.attention if payout.attention == "contradicted" else ""
            self._finish(payout, "resolved", "succeeded" if decision == "paid" else "refused")
        elif decision == "paid" and payout.status in {"pending", "failed"}:
            payout.attention = ""
            payout.needs = min(payout.needs, len(payout.approved_by))
            self._paid_after_all(payout, attempt, "resolved")
        else:
            payout.attention, payout.has_news = "", False
            attempt.was_answered_as_paid = False
            payout.move("released")
            self._make_ready(payout)

    def _finish(self, payout: Payout, event: str, outcome: str) -> None:
        """What was paid is asked about once more when the provider has news of it that nobody has asked about."""
        payout.finish(event, outcome)
        if payout.has_news and not payout.attention:
            payout.due = self.now()

    def reveal(self, payout: Payout, by: str) -> None:
        payout.move("revealed")
        self._make_ready(payout)

    def _make_ready(self, payout: Payout) -> None:
        """A pending payout's time is set anew at each of its moves."""
        if payout.status == "pending":
            is_free = payout.is_approved and not payout.is_stopped
            payout.due = (LATER if payout.is_put_off else self.now()) if is_free else None

    # What the provider says

    def hear(self, payout: Payout, attempt: Attempt, reported: Verdict) -> None:
        """A webhook moves nothing: it lets the provider be asked. Where there is nothing to ask, a person is."""
        is_payment = reported in {Verdict.SUCCEEDED, Verdict.RETURNED}
        attempt.was_heard_as_paid |= is_payment
        if attempt.outcome == "refused":
            if is_payment:
                self._doubt(payout, attempt)
        elif payout.status in {"processing", "unknown"} or (
            payout.status == "processed" and reported in {Verdict.REFUSED, Verdict.RETURNED}
        ):
            self._ask_again(payout)

    def hear_late(
        self, payout: Payout, attempt: Attempt, call: int, verdict: Verdict, about: UUID | None = None
    ) -> None:
        """An answer without its lease moves nothing either, and is told of once."""
        if call in attempt.heard_calls:
            return
        attempt.heard_calls.add(call)
        if about:
            attempt.told_of_earlier += 1
            self._hear_late(payout, payout.attempt_of(about), verdict, is_kept=False)
        else:
            self._hear_late(payout, attempt, verdict, is_kept=True)

    def _hear_late(self, payout: Payout, attempt: Attempt, verdict: Verdict, *, is_kept: bool) -> None:
        may_be_paid = verdict in {Verdict.SUCCEEDED, Verdict.RETURNED, Verdict.PENDING}
        if attempt.outcome == "refused":
            attempt.was_answered_as_paid |= may_be_paid and is_kept
            if may_be_paid or (verdict == Verdict.UNKNOWN and payout.status == "failed"):
                self._doubt(payout, attempt)
        elif payout.status in {"processing", "unknown"}:
            if verdict != Verdict.ABSENT:
                self._ask_again(payout)
        elif payout.status == "processed" and verdict in {Verdict.REFUSED, Verdict.RETURNED}:
            self._ask_again(payout)

    def _doubt(self, payout: Payout, attempt: Attempt) -> None:
        """A refusal may have been a payment: asked about while nothing has come of it, else for people."""
        if payout.status == "failed":
            self._ask_again(payout)
        elif payout.attention != "contradicted":
            payout.flag("contradicted", attempt.key)

    def _ask_again(self, payout: Payout) -> None:
        if payout.attention in {"not_found", "too_many_calls"}:
            payout.attention = ""
            payout.move("released")
        payout.has_news = payout.is_newer = True
        if not payout.attention and not payout.lease and payout.due in (None, LATER):
            payout.due = self.now()

    # What the worker does

    def due(self) -> list[Payout]:
        """Those that may be claimed, in their order."""
        waiting = [(payout.due, payout.id, payout) for payout in self.payouts if payout.due not in (None, LATER)]
        return [payout for _due, _id, payout in sorted(waiting, key=lambda each: each[:2])]

    def suspects(self) -> list[Payout]:
        """Those that may have ended their last workers are claimed alone."""
        return [payout for payout in self.due() if payout.is_suspect]

    def claim(self, limit: int) -> list[tuple[Payout, bool, bool]]:
        """Who is claimed, whether it is an attempt's first call, and whether it may be posted."""
        return self._claim_of(lambda: [payout for payout in self.due() if payout not in self.suspects()][:limit])

    def claim_suspect(self) -> list[tuple[Payout, bool, bool]]:
        return self._claim_of(lambda: self.suspects()[:1])

    def _claim_of(self, batch: Callable[[], list[Payout]]) -> list[tuple[Payout, bool, bool]]:
        claimed: list[tuple[Payout, bool, bool]] = []
        while (payouts := batch()) and not claimed:
            for payout in payouts:
                if payout.lease:
                    payout.lost_leases += 1
                if payout.lost_leases >= MOST_LOST_LEASES:
                    payout.flag("unworkable")
                elif payout.lease and payout.attempt.calls >= MOST_CALLS:
                    payout.flag("too_many_calls")
                else:
                    claimed.append(self._claim(payout))
        return claimed

    def _claim(self, payout: Payout) -> tuple[Payout, bool, bool]:
        payout.due, payout.is_newer = LATER, False
        if payout.status == "pending":
            assert all(attempt.outcome == "refused" for attempt in payout.attempts)
            payout.attempts.append(Attempt(len(payout.attempts) + 1))
            payout.move("claimed", "processing")
            return payout, True, True
        attempt = payout.attempt
        attempt.calls += 1
        return payout, False, attempt.outcome == "open" and attempt.outlives_a_lease and not attempt.voices

    def record(
        self,
        payout: Payout,
        verdict: Verdict,
        *,
        may_post: bool,
        about: UUID | None = None,
        lacks_funds: bool = False,
    ) -> None:
        """Only a success pays and only a refusal fails, whatever else has been said before.

        A refusal for want of money in our account fails nothing: the payout waits, and is sent again some time.
        `about` is the key of an earlier attempt that may have been paid: then nothing was sent.
        """
        attempt = payout.attempt
        attempt.heard_calls.add(attempt.calls)
        payout.lease, payout.due = None, self.now() if payout.is_newer else LATER
        payout.lost_leases = 0
        if verdict != Verdict.UNKNOWN and not payout.is_newer:
            payout.has_news = False
        is_paid = verdict in {Verdict.SUCCEEDED, Verdict.RETURNED}
        if about and payout.status != "failed":
            earlier = payout.attempt_of(about)
            was_sent = attempt.told_of_earlier < attempt.calls - 1
            attempt.told_of_earlier += 1
            if is_paid and was_sent:
                payout.flag("contradicted", about)
                return
            if is_paid:
                self._finish(payout, "refused", "refused")
                self._paid_after_all(payout, earlier)
            else:
                verdict = Verdict.UNKNOWN
        if is_paid and about and payout.status == "processed":
            pass
        elif payout.status == "processed":
            self._record_again(payout, verdict)
        elif payout.status == "failed":
            self._record_doubtful(payout, verdict, about)
        elif verdict in {Verdict.SUCCEEDED, Verdict.RETURNED}:
            self._finish(payout, "succeeded", "succeeded")
        elif verdict == Verdict.REFUSED and not payout.has_news and lacks_funds:
            attempt.outcome, attempt.was_answered_as_paid = "refused", False
            payout.move("lacked_funds", "pending")
            payout.due, payout.waits_for_funds = LATER, True
        elif verdict == Verdict.REFUSED and not payout.has_news:
            self._finish(payout, "refused", "refused")
        elif verdict == Verdict.ABSENT and not may_post and not payout.has_news:
            payout.flag("not_found")
        elif attempt.calls >= MOST_CALLS:
            payout.flag("too_many_calls")
        elif verdict == Verdict.PENDING:
            if not attempt.is_accepted:
                attempt.is_accepted = True
                payout.move("accepted")
        elif payout.status == "processing" and not attempt.is_accepted:
            payout.move("outcome_unknown", "unknown")
        if verdict == Verdict.RETURNED:
            self._close(payout, "returned", "returned")

    def _record_again(self, payout: Payout, verdict: Verdict) -> None:
        """What was paid stays paid; if the provider takes it back, a person must look."""
        if verdict == Verdict.SUCCEEDED:
            payout.due = payout.due if payout.has_news else None
        elif verdict == Verdict.REFUSED:
            payout.flag("contradicted")
        elif verdict != Verdict.RETURNED and payout.attempt.calls >= MOST_CALLS:
            payout.flag("too_many_calls")

    def _paid_after_all(self, payout: Payout, attempt: Attempt, event: str = "succeeded") -> None:
        attempt.outcome = "succeeded"
        payout.move(event, "processed")
        payout.lease = payout.due = None
        payout.lost_leases = 0
        if payout.has_news:
            payout.due = self.now()

    def _record_doubtful(self, payout: Payout, verdict: Verdict, about: UUID | None) -> None:
        """What was refused was paid after all, or it was not; what stays unclear is for people."""
        attempt = payout.attempt
        is_clear = verdict in {Verdict.REFUSED, Verdict.ABSENT} and not about
        doubts = [
            each
            for each in payout.attempts
            if (each.was_answered_as_paid or each.was_heard_as_paid)
            and not (each is attempt and verdict == Verdict.REFUSED)
        ]
        if verdict in {Verdict.SUCCEEDED, Verdict.RETURNED}:
            self._paid_after_all(payout, payout.attempt_of(about) if about else attempt)
        elif is_clear and not doubts and not payout.has_news:
            payout.due = None
        elif attempt.calls >= (MOST_CALLS if verdict == Verdict.PENDING else MOST_DOUBTFUL_CALLS):
            payout.flag("contradicted", about)

    def give_back(self, payout: Payout) -> None:
        payout.lease, payout.due = None, self.now()


@dataclass
class Payment:
    key: UUID
    payout: UUID
    state: Verdict
    """SUCCEEDED, PENDING, REFUSED or RETURNED."""
    lacks_funds: bool = False
    """Refused for that."""


@dataclass(frozen=True)
class Mood:
    """What the provider does with a POST that is new to it, and with a look-up."""

    new: Verdict = Verdict.SUCCEEDED
    """ABSENT is an error before anything is booked."""
    is_refusal_kept: bool = True
    lacks_funds: bool = False
    """Why it refuses."""
    is_answer_lost: bool = False
    look_up: str = "true"
    """`true`, `fails`, or `blind`: not yet there for those who ask."""


class Books:
    """A provider that pays once per key that it remembers, and for ever knows what it paid."""

    name = "http"

    def __init__(self) -> None:
        self.payments: list[Payment] = []
        self.calls: list[str] = []
        self.mood = Mood()
        self.is_refusing = False
        """The last POST was answered with a refusal."""
        self._remembered: dict[UUID, Payment] = {}

    def of(self, payout: UUID) -> list[Payment]:
        """The payments that moved money, or will; those that the bank gave back too."""
        return [each for each in self.payments if each.payout == payout and each.state != Verdict.REFUSED]

    def was_paid(self, key: UUID) -> bool | None:
        """Whether money left under the key; None while that is not decided."""
        states = {payment.state for payment in self.payments if payment.key == key}
        return None if Verdict.PENDING in states else bool(states & {Verdict.SUCCEEDED, Verdict.RETURNED})

    def knows(self, key: UUID) -> bool:
        return key in self._remembered

    def open(self) -> list[Payment]:
        """Those that something can still become of."""
        return [each for each in self.payments if each.state in {Verdict.PENDING, Verdict.SUCCEEDED}]

    def forget_keys(self) -> None:
        self._remembered.clear()

    def says(self, key: UUID) -> Verdict:
        """What a look-up would tell."""
        if self.mood.look_up == "fails":
            return Verdict.UNKNOWN
        payment = self._remembered.get(key)
        return Verdict.ABSENT if payment is None or self.mood.look_up == "blind" else payment.state

    def pay(self, instruction: Instruction, *, deadline: float) -> Answer:
        self.calls.append("pay")
        key, mood = instruction.reference, self.mood
        payment = self._remembered.get(key)
        if payment is None:
            if mood.new == Verdict.ABSENT:
                return _answer(Verdict.UNKNOWN)
            payment = Payment(key, instruction.payout, mood.new, mood.lacks_funds)
            if mood.new != Verdict.REFUSED or mood.is_refusal_kept:
                self.payments.append(payment)
                self._remembered[key] = payment
        self.is_refusing = payment.state == Verdict.REFUSED and not mood.is_answer_lost
        if mood.is_answer_lost:
            return _answer(Verdict.UNKNOWN)
        return _answer(payment.state, lacks_funds=payment.lacks_funds)

    def look_up(self, instruction: Instruction, *, deadline: float) -> Answer:
        self.calls.append("look_up")
        payment = self._remembered.get(instruction.reference)
        return _answer(self.says(instruction.reference), lacks_funds=payment is not None and payment.lacks_funds)


def _answer(verdict: Verdict, *, lacks_funds: bool = False) -> Answer:
    """The provider asks for an hour's patience, so that nothing comes due by itself within a run."""
    return Answer(
        verdict,
        provider_id=f"prv_{uuid4().hex}",
        code="said",
        message="So it is.",
        retry_after_seconds=3600,
        lacks_funds=lacks_funds and verdict == Verdict.REFUSED,
    )
