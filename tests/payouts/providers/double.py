"""A provider in memory, held to the same contract tests as the HTTP adapter with the sandbox behind it.

It understands the sandbox's magic amounts, and faults can be scripted besides:

    provider = DoubleProvider()
    provider.script(Fault.TIMEOUT_AFTER, Fault.HTTP_500_BEFORE)   # the next two POSTs, whichever they are
    provider.script(Fault.REFUSED, of=payout.reference)           # the next POST of one payout or attempt
    provider.look_ups_fail = True                                 # an outage for look-ups

No call waits for its deadline: a timeout is told at once.
"""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid4

from django.conf import settings
from django.test import override_settings

from payouts.providers import Answer, Instruction, Provider, Verdict, http, registry
from payouts.sandbox.ledger import Magic
from payouts.sandbox.server import RATE_LIMITED_TIMES


class Fault(StrEnum):
    """What the next POST meets. "Before" means that nothing is paid, "after" that it is."""

    REFUSED = "refused"
    REJECTED = "rejected"
    PENDING = "pending"
    UNREACHABLE = "unreachable"
    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    RESET_AFTER = "reset_after"
    HTTP_500_BEFORE = "http_500_before"
    HTTP_500_AFTER = "http_500_after"
    RATE_LIMITED = "rate_limited"
    GARBAGE_AFTER = "garbage_after"
    MISMATCH_AFTER = "mismatch_after"


@dataclass(frozen=True, slots=True)
class Payment:
    """A line of the double's ledger."""

    provider_id: str
    instruction: Instruction
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it came in, in order."""

    operation: str
    """`pay` or `look_up`."""
    instruction: Instruction


_BEFORE: Final = {
    Fault.REFUSED: Answer(
        Verdict.REFUSED, code="recipient_blocked", message="The recipient cannot be paid.", http_status=422
    ),
    Fault.UNREACHABLE: Answer(Verdict.UNKNOWN, code="unreachable", message="No connection to the provider."),
    Fault.TIMEOUT_BEFORE: Answer(Verdict.UNKNOWN, code="timeout", message="No answer before the deadline."),
    Fault.HTTP_500_BEFORE: Answer(
        Verdict.UNKNOWN, code="http_500", message="The provider answered HTTP 500.", http_status=500
    ),
    Fault.RATE_LIMITED: Answer(
        Verdict.UNKNOWN,
        code="rate_limited",
        message="The provider asked to slow down (HTTP 429).",
        http_status=429,
        retry_after_seconds=1,
    ),
}
_AFTER: Final = {
    Fault.TIMEOUT_AFTER: Answer(Verdict.UNKNOWN, code="timeout", message="No answer before the deadline."),
    Fault.RESET_AFTER: Answer(Verdict.UNKNOWN, code="reset", message="The connection broke off."),
    Fault.HTTP_500_AFTER: Answer(
        Verdict.UNKNOWN, code="http_500", message="The provider answered HTTP 500.", http_status=500
    ),
    Fault.GARBAGE_AFTER: Answer(
        Verdict.UNKNOWN, code="unparsable", message="The answer cannot be read.", http_status=200
    ),
    Fault.MISMATCH_AFTER: Answer(
        Verdict.UNKNOWN, code="mismatch", message="The provider's amount differs.", http_status=201
    ),
}
# The faults of a magic amount: of its first POSTs, and then of every later one.
_MAGIC: Final[dict[Decimal, tuple[tuple[Fault, ...], Fault | None]]] = {
    Magic.REFUSED.value: ((), Fault.REFUSED),
    Magic.REJECTED.value: ((), Fault.REJECTED),
    Magic.PENDING_THEN_SETTLED.value: ((), Fault.PENDING),
    Magic.PENDING_THEN_REJECTED.value: ((), Fault.PENDING),
    Magic.PENDING_FOR_EVER.value: ((), Fault.PENDING),
    Magic.SILENT_AFTER_PAYING.value: ((Fault.TIMEOUT_AFTER,), None),
    Magic.ERROR_BEFORE_PAYING.value: ((Fault.HTTP_500_BEFORE,), None),
    Magic.ERROR_AFTER_PAYING.value: ((Fault.HTTP_500_AFTER,), None),
    Magic.GARBAGE_AFTER_PAYING.value: ((Fault.GARBAGE_AFTER,), None),
    Magic.RATE_LIMITED.value: ((Fault.RATE_LIMITED,) * RATE_LIMITED_TIMES, None),
    Magic.RESET_AFTER_PAYING.value: ((Fault.RESET_AFTER,), None),
}


@contextmanager
def stand_in(provider: Provider, **declared: Any) -> Iterator[None]:
    """The account of the provider's name is paid with by it, inside the `with`; its kind declares that besides."""
    kind = replace(http.KIND, name=provider.name, make=lambda _account: provider, **declared)
    before = registry.KINDS.copy()
    registry.KINDS[kind.name] = kind
    named = {} if provider.name == registry.UNNAMED else {provider.name: kind.name}
    # What pays unless something else is said stays so.
    first = {} if settings.PROVIDERS or not settings.PROVIDER_URL else {registry.UNNAMED: http.KIND.name}
    try:
        with override_settings(PROVIDERS=first | settings.PROVIDERS | named):
            yield
    finally:
        registry.KINDS.clear()
        registry.KINDS.update(before)


class DoubleProvider:
    """A `Provider` with a ledger in memory, idempotent by reference. Safe from any number of threads."""

    def __init__(self, name: str = "http", *, delay_seconds: float = 0.0) -> None:
        self.name = name
        self.account = ""
        self.delay_seconds = delay_seconds
        self.look_ups_fail = False
        self._lock = threading.Lock()
        self._payments: dict[UUID, Payment] = {}
        self._posts: dict[UUID, int] = defaultdict(int)
        self._script: dict[UUID | None, deque[Fault]] = defaultdict(deque)
        self._calls: list[Call] = []

    @contextmanager
    def registered(self) -> Iterator["DoubleProvider"]:
        """Stand in for the provider of this name inside the `with`."""
        with stand_in(self):
            yield self

    def script(self, *faults: Fault, of: UUID | None = None) -> None:
        """Let the next POSTs meet `faults`: those of one payout or attempt, or of any."""
        with self._lock:
            self._script[of].extend(faults)

    def settle(self, reference: UUID, verdict: Verdict) -> None:
        """Give a pending payment its end."""
        with self._lock:
            self._payments[reference] = replace(self._payments[reference], verdict=verdict)

    @property
    def payments(self) -> list[Payment]:
        """Everything the ledger holds, in order, rejected ones too."""
        with self._lock:
            return list(self._payments.values())

    @property
    def calls(self) -> list[Call]:
        with self._lock:
            return list(self._calls)

    def paid(self, payout: UUID) -> list[Payment]:
        """The payments of one payout where money moves: more than one is a double payment."""
        moving = (Verdict.SUCCEEDED, Verdict.PENDING)
        return [each for each in self.payments if each.instruction.payout == payout and each.verdict in moving]

    def pay(self, instruction: Instruction, *, deadline: float) -> Answer:
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
        with self._lock:
            self._calls.append(Call("pay", instruction))
            known = self._payments.get(instruction.reference)
            if known is not None and not _same(known.instruction, instruction):
                return Answer(Verdict.UNKNOWN, code="http_409", message="Key reused.", http_status=409)

            fault = self._next_fault(instruction)
            if fault in _BEFORE:
                return _BEFORE[fault]
            if known is None:
                known = Payment(f"dbl_{uuid4().hex}", instruction, _verdict(fault))
                self._payments[instruction.reference] = known
            if fault in _AFTER:
                return _AFTER[fault]
            return _answer(known, 201)

    def look_up(self, instruction: Instruction, *, deadline: float) -> Answer:
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
        with self._lock:
            self._calls.append(Call("look_up", instruction))
            if self.look_ups_fail:
                return Answer(Verdict.UNKNOWN, code="http_503", message="HTTP 503.", http_status=503)
            known = self._payments.get(instruction.reference)
            if known is None:
                return Answer(Verdict.ABSENT, http_status=200)
            if not _same(known.instruction, instruction):
                return Answer(Verdict.UNKNOWN, code="mismatch", message="Amount differs.", http_status=200)
            return _answer(known, 200)

    def _next_fault(self, instruction: Instruction) -> Fault | None:
        number = self._posts[instruction.reference]
        self._posts[instruction.reference] += 1
        for whose in (instruction.reference, instruction.payout, None):
            if waiting := self._script.get(whose):
                return waiting.popleft()
        first, later = _MAGIC.get(instruction.amount, ((), None))
        return first[number] if number < len(first) else later


def _same(one: Instruction, other: Instruction) -> bool:
    return (one.amount, one.currency, one.recipient) == (other.amount, other.currency, other.recipient)


def _verdict(fault: Fault | None) -> Verdict:
    if fault is Fault.REJECTED:
        return Verdict.REFUSED
    return Verdict.PENDING if fault is Fault.PENDING else Verdict.SUCCEEDED


def _answer(payment: Payment, http_status: int) -> Answer:
    if payment.verdict is not Verdict.REFUSED:
        return Answer(payment.verdict, provider_id=payment.provider_id, http_status=http_status)
    return Answer(
        Verdict.REFUSED,
        provider_id=payment.provider_id,
        code="account_closed",
        message="The recipient's account is closed.",
        http_status=http_status,
    )
