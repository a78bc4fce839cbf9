"""Providers' reports as a test writes them, and what their lines come to."""

from typing import Any
from uuid import UUID

from django.contrib.auth.models import User

from payouts.models import Payout, ProviderReport
from payouts.statements import apply, read

HEADER = "reference,status,amount\n"


def key_of(payout: Payout) -> UUID:
    attempt = payout.attempts.order_by("number").first()
    assert attempt is not None
    return attempt.reference


def csv_of(*lines: tuple[Any, str] | tuple[Any, str, str]) -> bytes:
    rows = [",".join(map(str, (*line, *("100.50",)[: 3 - len(line)]))) for line in lines]
    return (HEADER + "\n".join(rows) + "\n").encode()


def applied(content: bytes, by: User, **given: Any) -> ProviderReport:
    report = read.store(content, name="march.csv", by=by, **given)
    assert apply.run(report.pk)
    return ProviderReport.objects.get(pk=report.pk)


def results_of(report: ProviderReport) -> list[str]:
    return list(report.lines.order_by("number", "pk").values_list("result", flat=True))
