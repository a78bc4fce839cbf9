"""A provider's report comes in: read whole, by line, and stored whole or not at all."""

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, date
from decimal import Decimal
from hashlib import sha256

from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payouts.actions import PayoutError
from payouts.files import tables
from payouts.files.apart import Table
from payouts.files.rows import SheetError
from payouts.jobs import FILES, Job
from payouts.models import ProviderReport, ReportLine
from payouts.providers import Verdict

APPLY = Job("payouts.tasks.apply_report", ProviderReport, Q(applied_at=None), queue=FILES)
LINES_LIMIT = 100_000
REFERENCE_LIMIT = 64
PERIOD_LIMIT_DAYS = 31
COLUMNS = ("reference", "status", "amount")
STATUSES = {
    "succeeded": Verdict.SUCCEEDED,
    "pending": Verdict.PENDING,
    "rejected": Verdict.REFUSED,
    "returned": Verdict.RETURNED,
}
AMOUNT = re.compile(r"[0-9]{1,14}(\.[0-9]{1,8})?")
KEY = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)


SENTENCES = tables.SENTENCES | {
    "no_table": gettext_lazy("This is not a text file in UTF-8: save the table as CSV UTF-8 and try again."),
    "too_many_rows": gettext_lazy("The file has more than 100,000 lines: split it."),
    "broken_line": gettext_lazy("The line cannot be read: a quotation mark is missing, or a field is too long."),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file: `number` counts the file's lines from 1, the header included."""

    number: int
    reference: str
    status: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one line, or without a number with the file."""

    number: int | None
    text: str


class ReportError(PayoutError):
    """The report is refused as a whole. `earlier` is the report that the same file is already, if it is."""

    def __init__(self, problems: list[Problem], earlier: ProviderReport | None = None) -> None:
        super().__init__(problems[0].text)
        self.problems = problems
        self.earlier = earlier


def lines_of(content: bytes) -> list[Line]:
    """The lines of a report in CSV: UTF-8, comma or semicolon, a header with COLUMNS in any order and maybe others.

    Raises ReportError with everything that is wrong, by line.
    """
    try:
        with tables.opened_plain(content, rows_limit=LINES_LIMIT) as table:
            return _lines(table)
    except SheetError as error:
        raise _refused(error) from error


def _lines(table: Table) -> list[Line]:
    """Raises ReportError."""
    header = table.header.texts
    places = _places(table.header.number, header)
    lines: list[Line] = []
    problems: list[Problem] = []
    first_at: dict[str, int] = {}
    for number, row in ((each.number, each.texts) for each in table.take(0, table.total)):
        if len(row) != len(header):
            # A thousands separator in an amount would make it another amount and one more field.
            text = _("The line has %(found)s fields, and the header has %(wanted)s.")
            problems.append(Problem(number, text % {"found": len(row), "wanted": len(header)}))
            continue
        reference, status, amount = (row[place].strip() for place in places)
        reference = _spelled(reference)
        texts = [text for text in (_reference_fault(reference), _status_fault(status), _amount_fault(amount)) if text]
        if reference and reference in first_at:
            texts.append(_("The reference is already in line %(number)s.") % {"number": first_at[reference]})
        first_at.setdefault(reference, number)
        problems += [Problem(number, text) for text in texts]
        if not texts:
            lines.append(Line(number, reference, status.lower(), Decimal(amount)))
    if problems:
        raise ReportError(problems)
    if not lines:
        raise ReportError([Problem(None, _("The file has a header and no lines."))])
    return lines


def _refused(error: SheetError) -> ReportError:
    return ReportError(
        [
            Problem(
                number if isinstance(number := parameters.get("number"), int) else None,
                tables.filled(SENTENCES[code], parameters),
            )
            for code, parameters in error.faults
        ]
    )


def _places(number: int, header: list[str]) -> list[int]:
    """Where COLUMNS stand in the header. Raises ReportError."""
    names = [name.strip().lower() for name in header]
    try:
        return list(tables.places(names, COLUMNS, required=COLUMNS).values())
    except SheetError as error:
        problems = [Problem(number, str(SENTENCES[code]) % parameters) for code, parameters in error.faults]
        raise ReportError(problems) from error


def _spelled(reference: str) -> str:
    """A key of ours in its usual spelling; other references as they are."""
    return str(uuid.UUID(reference)) if KEY.fullmatch(reference) else reference


def _reference_fault(reference: str) -> str:
    if not reference:
        return _("The reference is missing.")
    if len(reference) > REFERENCE_LIMIT or not reference.isprintable():
        return _("The reference is longer than 64 characters, or has some that cannot be printed.")
    return ""


def _status_fault(status: str) -> str:
    if status.lower() in STATUSES:
        return ""
    text = _("The status is “%(status)s”, and not succeeded, pending, rejected or returned.")
    return text % {"status": status[:40]}


def _amount_fault(amount: str) -> str:
    if AMOUNT.fullmatch(amount):
        return ""
    text = _("The amount is “%(amount)s”: give digits, with a point before decimals and nothing else, as in 1234.50.")
    return text % {"amount": amount[:40]}


def store(
    content: bytes, *, name: str, by: User, from_on: date | None = None, to_on: date | None = None
) -> ProviderReport:
    """Keep a report's lines and have them applied by the worker. The days, in UTC, say what the report covers.

    With them our payments of these days that the report lacks are flagged. Raises ReportError.
    """
    lines = lines_of(content)
    _check_period(from_on, to_on)
    report = ProviderReport(
        name=tables.printable(name)[-tables.NAME_LIMIT :] or "report.csv",
        content_hash=sha256(content).digest(),
        from_on=from_on,
        to_on=to_on,
        uploaded_by=by,
        seen_at=Now(),
    )
    try:
        with transaction.atomic():
            report.save(force_insert=True)
            _copy(report, lines)
            APPLY.ring(report.pk)
    except IntegrityError as error:
        if "content_hash" not in str(error):
            raise
        raise _known(report) from error
    return report


def _copy(report: ProviderReport, lines: list[Line]) -> None:
    """Store the lines with COPY: as objects, 100,000 of them would occupy a web server's thread for many seconds."""
    columns = "report_id, number, reference, status, amount, result"
    with connection.cursor() as cursor, cursor.copy(f"COPY payouts_reportline ({columns}) FROM STDIN") as copy:
        for line in lines:
            copy.write_row(
                (report.pk, line.number, line.reference, line.status, line.amount, ReportLine.Result.WAITING)
            )


def _check_period(from_on: date | None, to_on: date | None) -> None:
    """Raises ReportError, also for a day that is not over: more can be paid in the rest of it."""
    if from_on is None and to_on is None:
        return
    if from_on is None or to_on is None or to_on < from_on:
        text = _("Give both days of the period, the earlier one first, or neither.")
    elif to_on >= timezone.now().astimezone(UTC).date():
        text = _("The last day of the period must be over, in UTC.")
    elif (to_on - from_on).days >= PERIOD_LIMIT_DAYS:
        text = _("The period must be at most 31 days.")
    else:
        return
    raise ReportError([Problem(None, text)])


def _known(report: ProviderReport) -> ReportError:
    earlier = ProviderReport.objects.select_related("uploaded_by").get(content_hash=report.content_hash)
    text = _("This file is a report already: “%(name)s”, uploaded by %(who)s.")
    problem = Problem(None, text % {"name": earlier.name, "who": earlier.uploaded_by.get_username()})
    return ReportError([problem], earlier)
