"""Files to download: a template to fill in, and the rows that are not paid."""

import csv
import io
from collections.abc import Iterator
from itertools import batched

from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.utils import translation
from xlsxwriter import Workbook

from payouts import money
from payouts.admin.batches.rows import LEFT, REFUSED, VIEWS, WRONG, faults_of, given_cells, mask_of
from payouts.admin.kit.downloads import CONTENT_TYPES, attachment
from payouts.batches import columns
from payouts.batches.columns import COLUMNS, EXAMPLES
from payouts.exports.cells import safe
from payouts.models import Batch, BatchRow, read_keys
from payouts.plain_text import without_cards
from payouts.recipients import name_and_account


def template_file(kind: str) -> HttpResponse:
    """A template to fill in, as CSV or XLSX, with examples that cannot be paid."""
    return HttpResponse(
        _xlsx_template() if kind == "xlsx" else _csv_template(),
        content_type=CONTENT_TYPES[kind],
        headers=attachment(f"payouts.{kind}"),
    )


def _delimiter() -> str:
    """What Excel expects between the columns of a CSV in the person's language."""
    return ";" if (translation.get_language() or "").startswith("ru") else ","


def _csv_template() -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=_delimiter()).writerows([COLUMNS, *EXAMPLES])
    return text.getvalue().encode("utf-8-sig")  # so that Excel takes it for UTF-8


def _xlsx_template() -> bytes:
    content = io.BytesIO()
    with Workbook(content, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        as_text = book.add_format({"num_format": "@"})  # Excel would round a card's number
        for place, column in enumerate(COLUMNS):
            width = 28 if column in ("account", "name", "comment") else 14
            sheet.set_column(place, place, width, as_text if column == "account" else None)
        for number, row in enumerate((COLUMNS, *EXAMPLES)):
            for place, text in enumerate(row):
                sheet.write_string(number, place, text, as_text)
        sheet.freeze_panes(1, 0)
    return content.getvalue()


def error_file(batch: Batch) -> StreamingHttpResponse:
    """A CSV of the rows that are not paid: what was given, with masked accounts, and what is wrong."""
    return StreamingHttpResponse(
        _error_lines(batch, translation.get_language()),
        content_type=CONTENT_TYPES["csv"],
        headers=attachment(f"batch-{batch.pk}-errors.csv"),
    )


class _Echo:
    """A file for the csv module that returns each line instead of storing it."""

    def write(self, line: str) -> str:
        return line


def _error_lines(batch: Batch, language: str | None) -> Iterator[str]:
    with translation.override(language):
        writer = csv.writer(_Echo(), delimiter=_delimiter())
        yield "\ufeff" + writer.writerow(["line", *COLUMNS, "errors"])
        unpaid = VIEWS[WRONG].rows | VIEWS[REFUSED].rows | VIEWS[LEFT].rows
        rows = batch.rows.filter(unpaid).order_by("number")
        for row in _with_keys(rows):
            given = given_cells(row)
            cells = columns.masked(given) if given else _cells(row)
            faults = "; ".join(f"{column}: {text}" if column else text for column, text in faults_of(row, given))
            texts = [cells.get(column, "") for column in COLUMNS]
            yield writer.writerow([row.number, *map(safe, texts), safe(faults)])


def _with_keys(rows: QuerySet[BatchRow]) -> Iterator[BatchRow]:
    """The rows, some at a time, with the keys that say who was erased."""
    for some in batched(rows.iterator(chunk_size=1_000), 1_000, strict=False):
        read_keys(some)
        yield from some


def _cells(row: BatchRow) -> dict[str, str]:
    """The cells of a row that was valid and could not become a payout."""
    mask = mask_of(row)
    name, account = name_and_account(mask)
    return {
        "user_id": str(row.user_id or ""),
        "amount": money.plain(row.amount) if row.amount is not None else "",
        "currency": row.currency,
        "kind": row.kind,
        "account": account,
        "name": name,
        "bank": str(mask.get("bank", "")),
        "comment": without_cards(row.comment),
    }
