"""A provider in memory that lists its payments, and the payments that it lists."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from payouts.models import Payout
from payouts.providers import (
    Answer,
    Instruction,
    Payment,
    PaymentsPage,
    ReportFormat,
    Verdict,
)
from payouts.providers.csv_report import CSV
from tests import recipes
from tests.payouts.providers.double import stand_in
from tests.payouts.statements.lines import key_of

SILENT = Answer(Verdict.UNKNOWN, code="timeout", message="The provider did not answer in time.")


@dataclass
class Lister:
    """Answers with the next of `answers`, then again and again with the last."""

    name: str = "main"
    account: str = ""
    answers: list[PaymentsPage | Answer | Exception] = field(default_factory=list)
    asked: list[tuple[datetime, datetime, str]] = field(default_factory=list)

    def lists(self, *payments: Payment) -> None:
        self.answers = [PaymentsPage(payments, "")]

    def payments(self, since: datetime, until: datetime, *, cursor: str, deadline: float) -> PaymentsPage | Answer:
        self.asked.append((since, until, cursor))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def pay(self, instruction: Instruction, *, deadline: float) -> Answer:
        return SILENT

    def look_up(self, instruction: Instruction, *, deadline: float) -> Answer:
        return SILENT


@contextmanager
def listing(*providers: Any, zone: str = "UTC") -> Iterator[None]:
    """These accounts' kinds declare lists, and reports whose days are of that zone."""
    if not providers:
        yield
        return
    columns: Sequence[str] = ("id",)
    register = ReportFormat("register", "register", tuple(columns), CSV.read, zone)
    with stand_in(providers[0], lists_payments=True, reports=(register,)), listing(*providers[1:], zone=zone):
        yield


def paid_payout() -> Payout:
    """Of the account that pays by default; the provider told an id of its own."""
    payout = recipes.pending_payout()
    return recipes.answered(payout, Answer(Verdict.SUCCEEDED, provider_id=f"prv-{payout.pk}"))


def payment_of(payout: Payout, **given: Any) -> Payment:
    """Paid, as we have it."""
    facts = {
        "provider_id": payout.attempts.get().provider_id,
        "reference": key_of(payout),
        "verdict": Verdict.SUCCEEDED,
        "amount": payout.amount,
        "currency": payout.currency,
        "created_at": None,
    }
    return Payment(**facts | given)


def strange(provider_id: str = "prv-strange", **given: Any) -> Payment:
    """Made elsewhere."""
    facts = {
        "provider_id": provider_id,
        "reference": None,
        "verdict": Verdict.SUCCEEDED,
        "amount": Decimal("7.00"),
        "currency": "RUB",
        "created_at": None,
    }
    return Payment(**facts | given)
