"""A provider's report is read exactly and stored whole, or refused with everything that is wrong, by line."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import translation

from payouts.files.limits import FILE_BYTES
from payouts.models import ProviderReport, ReportLine
from payouts.statements import read
from payouts.statements.lines import APPLY
from payouts.statements.read import ReportError
from tests.payouts.actions.test_races import at_once
from tests.payouts.observe import queued
from tests.payouts.statements.lines import csv_of


def _problems(content: bytes) -> list[tuple[int | None, str]]:
    with pytest.raises(ReportError) as refusal:
        read.lines_of(content)
    return [(problem.number, problem.text) for problem in refusal.value.problems]


@pytest.mark.parametrize(
    "text",
    [
        "reference,status,amount\nr-1,succeeded,100.50\n",
        "\ufeffreference,status,amount\r\nr-1,succeeded,100.50\r\n",
        "Amount; STATUS ;fee;Reference\n100.50;Succeeded;1,5;r-1",
        '"amount","note","reference","status"\n"100.50","a, ""b""\nand c","r-1","succeeded"\n',
        "reference,status,amount\n\n , ,\nr-1 , succeeded ,100.50\n\n",
        "reference,status,amount,\nr-1,succeeded,100.50,\n",
    ],
)
def test_a_report_is_read_in_every_spelling_of_csv(text: str) -> None:
    (line,) = read.lines_of(text.encode())

    assert (line.reference, line.status, line.amount) == ("r-1", "succeeded", Decimal("100.50"))


def test_a_line_is_numbered_as_an_editor_numbers_it() -> None:
    lines = read.lines_of(b'note,reference,status,amount\n\n"a\nb",r-1,pending,1\nc,r-2,pending,2\n')

    assert [line.number for line in lines] == [3, 5]


def test_a_key_of_ours_is_the_same_in_every_spelling() -> None:
    key = uuid4()

    problems = _problems(csv_of((key, "succeeded"), (key.hex.upper(), "succeeded")))

    assert problems == [(3, "The reference is already in line 2.")]


@pytest.mark.parametrize("amount", ["100", "0.00000001", "99999999999999.99", "007.5", "0"])
def test_an_amount_is_taken_exactly(amount: str) -> None:
    (line,) = read.lines_of(csv_of(("r-1", "succeeded", amount)))

    assert line.amount == Decimal(amount)


@pytest.mark.parametrize(
    "amount",
    [
        "",
        "1e2",
        "1E+2",
        "-5",
        "+5",
        "NaN",
        "Infinity",
        "1 000.50",
        "1'000",
        "1_000",
        ".5",
        "5.",
        "0x10",
        "١٠٠",
        "1" * 15,
    ],
)
def test_an_amount_that_is_no_plain_number_is_refused(amount: str) -> None:
    (problem,) = _problems(csv_of(("r-1", "succeeded", amount)))

    assert problem[0] == 2
    assert problem[1].startswith(f"The amount is “{amount}”")


def test_a_comma_inside_an_amount_makes_no_other_amount() -> None:
    unquoted = _problems(b"reference,status,amount\nr-1,succeeded,1,000.50\n")
    quoted = _problems(b'reference,status,amount\nr-1,succeeded,"1,000.50"\n')
    decimals = _problems(b"reference;status;amount\nr-1;succeeded;1000,50\n")

    assert unquoted == [(2, "The line has 4 fields, and the header has 3.")]
    assert "1,000.50" in quoted[0][1]
    assert "1000,50" in decimals[0][1]


def test_everything_that_is_wrong_is_told_by_line() -> None:
    again = [("r-2", "returned"), ("r-2", "pending")]

    problems = _problems(csv_of(("r-1", "paid", "x"), ("", "succeeded"), *again, ("r" * 65, "pending")))

    assert [number for number, _text in problems] == [2, 2, 3, 5, 6]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "The file is empty."),
        (b"\xef\xbb\xbf \n", "The file is empty."),
        (b",,\n , \n", "The file is empty."),
        (b"PK\x03\x04\x14\x00\x08\x00", "not a text file"),
        ("reference,status,amount\nr-1,succeeded,1\n".encode("utf-16"), "not a text file"),
        ("reference,status,amount\nсчёт,succeeded,1\n".encode("cp1251"), "not a text file"),
        (b"reference,status,amount\n", "a header and no lines"),
        (b"reference,status\nr-1,succeeded\n", "no column “amount”"),
        (b"reference,status,amount,Amount\nr-1,succeeded,1,2\n", "the column “amount” twice"),
        (b"what is this\n", "no column “reference”"),
        (b'reference,status,amount\n"r-1,succeeded,1\nr-2,succeeded,1\n', "cannot be read"),
        (b'reference,status,amount\n"r"1,succeeded,1\n', "cannot be read"),
        (b'x,reference,status,amount\n"' + b"x" * 140_000 + b'",r-1,succeeded,1\n', "cannot be read"),
        (b"x" * (FILE_BYTES + 1), "larger than 20 MB"),
    ],
)
def test_a_file_that_is_no_report_is_refused(content: bytes, text: str) -> None:
    assert text in _problems(content)[0][1]


def test_a_report_has_so_many_lines_and_not_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payouts.statements.read.LINES_LIMIT", 3)

    assert len(read.lines_of(csv_of(*((f"r-{each}", "pending") for each in range(3))))) == 3
    assert "more than" in _problems(csv_of(*((f"r-{each}", "pending") for each in range(4))))[0][1]


def test_what_is_wrong_is_told_in_the_callers_language() -> None:
    with translation.override("ru"):
        (problem,) = _problems(csv_of(("r-1", "paid")))

    assert "Статус" in problem[1]


@pytest.mark.django_db
def test_a_report_is_stored_with_its_lines_and_one_task_that_names_it(operator: User) -> None:
    report = read.store(csv_of(("r-1", "succeeded"), ("r-2", "pending")), name="march.csv", by=operator)

    lines = list(report.lines.order_by("number").values_list("number", "reference", "status", "amount", "result"))
    assert lines == [(2, "r-1", "succeeded", Decimal("100.50"), ""), (3, "r-2", "pending", Decimal("100.50"), "")]
    assert queued(APPLY.task) == [(report.pk,)]


@pytest.mark.django_db
def test_a_report_with_one_bad_line_leaves_nothing_behind(operator: User) -> None:
    with pytest.raises(ReportError):
        read.store(csv_of(("r-1", "succeeded"), ("r-2", "paid")), name="march.csv", by=operator)

    assert not ProviderReport.objects.exists()
    assert queued(APPLY.task) == []


@pytest.mark.django_db
def test_the_same_file_is_taken_once_and_names_the_first(operator: User, checker: User) -> None:
    first = read.store(csv_of(("r-1", "succeeded")), name="march.csv", by=operator)

    with pytest.raises(ReportError, match=r"“march.csv”, uploaded by operator") as refusal:
        read.store(csv_of(("r-1", "succeeded")), name="again.csv", by=checker)

    assert refusal.value.earlier == first
    assert (ReportLine.objects.count(), len(queued(APPLY.task))) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_the_same_file_at_the_same_time_is_taken_once(operator: User) -> None:
    content = csv_of(*((f"r-{each}", "succeeded") for each in range(200)))

    results = at_once(*[lambda: read.store(content, name="march.csv", by=operator)] * 6)

    assert sum(isinstance(each, ProviderReport) for each in results) == 1
    assert (ProviderReport.objects.count(), ReportLine.objects.count(), len(queued(APPLY.task))) == (1, 200, 1)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("from_on", "to_on"),
    [
        (date(2026, 3, 2), None),
        (None, date(2026, 3, 2)),
        (date(2026, 3, 2), date(2026, 3, 1)),
        (date(2026, 3, 1), date(2026, 4, 1)),
        (date(1, 1, 1), date(2026, 3, 1)),
        (date(9999, 12, 30), date(9999, 12, 31)),
    ],
)
def test_a_period_that_cannot_be_checked_is_refused(from_on: date | None, to_on: date | None, operator: User) -> None:
    with pytest.raises(ReportError):
        read.store(csv_of(("r-1", "succeeded")), name="march.csv", by=operator, from_on=from_on, to_on=to_on)

    assert not ProviderReport.objects.exists()


@pytest.mark.django_db
def test_a_day_that_is_not_over_cannot_be_covered(operator: User) -> None:
    today = datetime.now(UTC).date()

    with pytest.raises(ReportError, match="must be over"):
        read.store(csv_of(("r-1", "succeeded")), name="march.csv", by=operator, from_on=today, to_on=today)


@pytest.mark.django_db
def test_a_files_name_is_kept_as_far_as_it_can_be_shown(operator: User) -> None:
    names = ["a\x00b\n.csv", "\ud800", "x" * 300 + ".csv"]

    stored = [
        read.store(csv_of((f"r-{each}", "pending")), name=name, by=operator).name for each, name in enumerate(names)
    ]

    assert stored == ["ab.csv", "report.csv", "x" * 251 + ".csv"]


@pytest.mark.django_db(transaction=True)
def test_a_report_that_is_not_stored_rings_for_nobody(operator: User) -> None:
    with transaction.atomic():
        read.store(csv_of(("r-1", "succeeded")), name="x", by=operator)
        transaction.set_rollback(True)

    assert queued(APPLY.task) == []
    assert not ProviderReport.objects.exists()
