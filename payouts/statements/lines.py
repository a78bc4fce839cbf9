"""The lines of a report as they are stored, and the task that holds them against our record."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from django.db import connection
from django.db.models import Q

from payouts.jobs import FILES, Job
from payouts.models import ProviderReport, ReportLine
from payouts.providers import Payment
from payouts.providers.csv_report import WORDS

APPLY = Job("payouts.tasks.apply_report", ProviderReport, Q(applied_at=None, superseded_at=None), queue=FILES)


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `number` counts a file's lines from 1, the header included, or the payments of a list."""

    number: int
    reference: str
    """Our key, or else the provider's id."""
    provider_id: str
    status: str
    amount: Decimal
    currency: str
    fee: Decimal | None

    @property
    def is_named_by_provider(self) -> bool:
        return bool(self.provider_id) and self.reference == self.provider_id

    @classmethod
    def of(cls, number: int, payment: Payment, *, name: str = "") -> Self:
        """`name` stands in place of our key."""
        return cls(
            number,
            reference=name or (str(payment.reference) if payment.reference else payment.provider_id),
            provider_id=payment.provider_id,
            status=WORDS[payment.verdict],
            amount=payment.amount,
            currency=payment.currency,
            fee=payment.fee,
        )


def copy(report: ProviderReport, lines: Iterable[Line]) -> None:
    """Store the lines with COPY: as objects, 100,000 of them would occupy a web server's thread for many seconds."""
    columns = "report_id, number, reference, provider_id, status, amount, currency, fee, result"
    with connection.cursor() as cursor, cursor.copy(f"COPY payouts_reportline ({columns}) FROM STDIN") as rows:
        for line in lines:
            told = (line.reference, line.provider_id, line.status, line.amount, line.currency, line.fee)
            rows.write_row((report.pk, line.number, *told, ReportLine.Result.WAITING))
