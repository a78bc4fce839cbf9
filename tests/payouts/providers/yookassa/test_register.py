"""YooKassa's daily register is read as it is documented, and held against our record by YooKassa's ids."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User

from payouts.models import Attempt, ReportLine
from payouts.providers import Payment, Verdict
from payouts.providers.yookassa.register import REGISTER
from payouts.statements import apply, read
from payouts.statements.lines import Line
from payouts.statements.read import ReportError
from tests.payouts.statements.lines import results_of
from tests.recipes import processed_payout, unknown_payout

HEADER = (
    '"Идентификатор выплаты";"Сумма выплаты";"Валюта выплаты";Комиссия;"Время операции";'
    '"Дополнительные реквизиты";Описание;"Метод выплат";"Проверка получателя"\n'
)
ID = "po-28e7d82e-0003-5000-9000-0f1483ebc9ca"
ROW = {"id": ID, "amount": "100.50", "currency": "RUB", "fee": "2.50", "time": "01.03.2026 23:59:59"}
Result = ReportLine.Result


def register(*rows: dict[str, str]) -> bytes:
    lines = [
        ";".join((ROW | row)[name] for name in ROW) + ';79000000000;"Выплата; №1";sbp;не проводилась' for row in rows
    ]
    return ("\ufeff" + HEADER + "\n".join(lines) + "\n").encode()


def lines_of(*rows: dict[str, str]) -> list[Line]:
    return read.lines_of(register(*rows), REGISTER)


def test_a_row_is_read() -> None:
    row = dict(zip(REGISTER.columns, ROW.values(), strict=True))

    assert REGISTER.read(row) == Payment(
        provider_id=ID,
        reference=None,
        verdict=Verdict.SUCCEEDED,
        amount=Decimal("100.50"),
        currency="RUB",
        created_at=datetime(2026, 3, 1, 20, 59, 59, tzinfo=UTC),
        fee=Decimal("2.50"),
    )


def test_a_register_is_read_without_the_recipients_details() -> None:
    (line,) = lines_of({})

    assert line == Line(2, ID, ID, "succeeded", Decimal("100.50"), "RUB", Decimal("2.50"))


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("id", ""),
        ("id", "po-1 2"),
        ("amount", "1 000.50"),
        ("amount", "1000,50"),
        ("currency", "rub"),
        ("currency", "₽"),
        ("fee", ""),
        ("fee", "-1"),
        ("time", "2026-03-01 10:00:00"),
        ("time", "31.02.2026 10:00:00"),
    ],
)
def test_a_row_that_cannot_be_read_is_told_by_its_line(column: str, text: str) -> None:
    with pytest.raises(ReportError) as refusal:
        lines_of({"id": "po-1"}, {column: text})

    assert [problem.number for problem in refusal.value.problems] == [3]


def test_a_payout_is_there_once() -> None:
    with pytest.raises(ReportError, match="already in line 2"):
        lines_of({}, {})


WALLET: Any = {"recipient": {"wallet": "41001614575714"}}


@pytest.mark.django_db
def test_payouts_are_found_by_yookassas_id_and_fees_are_kept(settings: Any, operator: User) -> None:
    settings.PROVIDERS = {"http": "yookassa"}
    paid, unknown, missing = processed_payout(**WALLET), unknown_payout(**WALLET), processed_payout(**WALLET)
    for number, payout in enumerate((paid, unknown, missing)):
        Attempt.objects.filter(payout=payout).update(provider_id=f"po-{number}")
    day = datetime.now(UTC).date() - timedelta(days=2)
    # 23:30 in Moscow, and half an hour into the day after.
    ends = datetime(day.year, day.month, day.day, 20, 30, tzinfo=UTC)
    Attempt.objects.filter(payout=missing).update(finished_at=ends)
    Attempt.objects.filter(payout=processed_payout(**WALLET)).update(finished_at=ends + timedelta(hours=1))

    content = register({"id": "po-0"}, {"id": "po-1"}, {"id": "po-9"})
    report = read.store(content, name="r.csv", by=operator, form=REGISTER.name, from_on=day, to_on=day)
    apply.run(report.pk)

    assert results_of(report) == [Result.AGREES, Result.ASKED, Result.NOT_OURS, Result.MISSING]
    assert (report.format, report.zone) == ("yookassa_register", "Europe/Moscow")
    assert report.lines.get(number=None).payout == missing
    assert paid.attempts.get().fee == Decimal("2.50")


@pytest.mark.django_db
def test_a_day_is_over_when_it_is_over_in_moscow(settings: Any, operator: User) -> None:
    settings.PROVIDERS = {"http": "yookassa"}
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)

    with pytest.raises(ReportError, match="Europe/Moscow"):
        read.store(register({}), name="r.csv", by=operator, form=REGISTER.name, from_on=tomorrow, to_on=tomorrow)


@pytest.mark.django_db
def test_a_format_of_another_kind_of_account_is_refused(operator: User) -> None:
    with pytest.raises(ReportError, match="not read in this format"):
        read.store(register({}), name="r.csv", by=operator, form=REGISTER.name)


@pytest.mark.django_db
def test_a_report_that_is_plainly_another_accounts_is_refused(settings: Any, operator: User) -> None:
    settings.PROVIDERS = {"http": "http", "main": "yookassa"}
    Attempt.objects.filter(payout=processed_payout(**WALLET)).update(provider_id="po-0")

    with pytest.raises(ReportError, match="choose “http”"):
        read.store(register({"id": "po-0"}), name="r.csv", by=operator, account="main", form=REGISTER.name)
