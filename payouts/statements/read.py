"""A provider's report comes in: read whole, by line, and stored whole or not at all."""

from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from zoneinfo import ZoneInfo

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payouts.actions import PayoutError
from payouts.files import tables
from payouts.files.apart import Table
from payouts.files.rows import SheetError
from payouts.models import Attempt, ProviderReport
from payouts.providers import ReportFormat, Verdict, registry
from payouts.providers.csv_report import CSV, PAYMENTS
from payouts.statements.lines import APPLY, Line, copy

LINES_LIMIT = 100_000
PERIOD_LIMIT_DAYS = 31
LOOKED_AT = 1_000  # lines, to tell whose report it is

SENTENCES = tables.SENTENCES | {
    "no_table": gettext_lazy("This is not a text file in UTF-8: save the table as CSV UTF-8 and try again."),
    "too_many_rows": gettext_lazy("The file has more than 100,000 lines: split it."),
    "broken_line": gettext_lazy("The line cannot be read: a quotation mark is missing, or a field is too long."),
}


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


def lines_of(content: bytes, form: ReportFormat = CSV) -> list[Line]:
    """The lines of a report in CSV: UTF-8, comma or semicolon, a header with columns in any order and maybe others.

    Raises ReportError with everything that is wrong, by line.
    """
    try:
        with tables.opened_plain(content, rows_limit=LINES_LIMIT) as table:
            return _lines(table, form)
    except SheetError as error:
        raise _refused(error) from error


def _lines(table: Table, form: ReportFormat) -> list[Line]:
    """Raises ReportError."""
    header = table.header.texts
    places = _places(table.header.number, header, form)
    lines: list[Line] = []
    problems: list[Problem] = []
    first_at: dict[str, int] = {}
    for number, row in ((each.number, each.texts) for each in table.take(0, table.total)):
        if len(row) != len(header):
            # A thousands separator in an amount would make it another amount and one more field.
            text = _("The line has %(found)s fields, and the header has %(wanted)s.")
            problems.append(Problem(number, text % {"found": len(row), "wanted": len(header)}))
            continue
        try:
            line = Line.of(number, form.read({column: row[place].strip() for column, place in places.items()}))
        except ValueError as error:
            problems += [Problem(number, str(text)) for text in error.args]
            continue
        if line.reference in first_at:
            text = _("The reference is already in line %(number)s.") % {"number": first_at[line.reference]}
            problems.append(Problem(number, text))
        first_at.setdefault(line.reference, number)
        lines.append(line)
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


def _places(number: int, header: list[str], form: ReportFormat) -> dict[str, int]:
    """Where the format's columns stand in the header. Raises ReportError."""
    names = [name.strip().lower() for name in header]
    try:
        return tables.places(names, form.columns, required=form.columns)
    except SheetError as error:
        problems = [Problem(number, str(SENTENCES[code]) % parameters) for code, parameters in error.faults]
        raise ReportError(problems) from error


def store(
    content: bytes,
    *,
    name: str,
    by: User,
    account: str = registry.UNNAMED,
    form: str = PAYMENTS,
    from_on: date | None = None,
    to_on: date | None = None,
) -> ProviderReport:
    """Keep the lines of an account's report and have them applied by the worker.

    `form` names its format. The days, of the format's zone, say what the report covers: with them our payments of
    these days that the report lacks are flagged. Raises ReportError.
    """
    read_as = _format(account, form)
    lines = lines_of(content, read_as)
    _check_period(from_on, to_on, read_as)
    _check_account(account, lines)
    report = ProviderReport(
        provider=account,
        format=read_as.name,
        name=tables.printable(name)[-tables.NAME_LIMIT :] or "report.csv",
        content_hash=sha256(content).digest(),
        zone=read_as.zone,
        from_on=from_on,
        to_on=to_on,
        uploaded_by=by,
        seen_at=Now(),
    )
    try:
        with transaction.atomic():
            report.save(force_insert=True)
            copy(report, lines)
            APPLY.ring(report.pk)
    except IntegrityError as error:
        if "content_hash" not in str(error):
            raise
        raise _known(report) from error
    return report


def _format(account: str, name: str) -> ReportFormat:
    """Raises ReportError."""
    for form in registry.formats_of(account):
        if form.name == name:
            return form
    raise ReportError([Problem(None, _("Reports of this account are not read in this format."))])


def _check_account(account: str, lines: list[Line]) -> None:
    """Raises ReportError for a report that is plainly another account's: all of it would call people in vain."""
    if len(registry.accounts()) == 1:
        return
    some = lines[:LOOKED_AT]
    keys = [line.reference for line in some if not line.is_named_by_provider]
    ids = [line.provider_id for line in some if line.is_named_by_provider]
    told = Attempt.objects.exclude(provider_id="")  # as the index has them
    found = [Attempt.objects.filter(reference__in=keys), told.filter(provider_id__in=ids)]
    accounts = {each for attempts in found for each in attempts.values_list("provider", flat=True).distinct()}
    if accounts and account not in accounts:
        text = _("None of these payments is of the account “%(account)s”: choose “%(other)s”.")
        raise ReportError([Problem(None, text % {"account": account, "other": min(accounts)})])


def _check_period(from_on: date | None, to_on: date | None, form: ReportFormat) -> None:
    """Raises ReportError, also for a day that is not over: more can be paid in the rest of it."""
    if from_on is None and to_on is None:
        return
    if from_on is None or to_on is None or to_on < from_on:
        text = _("Give both days of the period, the earlier one first, or neither.")
    elif Verdict.SUCCEEDED not in form.lists:
        text = _("Such a report does not list what was paid: give no period.")
    elif to_on >= timezone.now().astimezone(ZoneInfo(form.zone)).date():
        text = _("The last day of the period must be over, in the time zone %(zone)s.") % {"zone": form.zone}
    elif (to_on - from_on).days >= PERIOD_LIMIT_DAYS:
        text = _("The period must be at most 31 days.")
    else:
        return
    raise ReportError([Problem(None, text)])


def _known(report: ProviderReport) -> ReportError:
    earlier = ProviderReport.objects.select_related("uploaded_by").get(content_hash=report.content_hash)
    who = earlier.uploaded_by.get_username() if earlier.uploaded_by else ""  # never empty: it has a file
    text = _("This file is a report already: “%(name)s”, uploaded by %(who)s.")
    return ReportError([Problem(None, text % {"name": earlier.name, "who": who})], earlier)
