"""The worker reads a batch's file and stores its rows, with what is wrong with each.

In chunks, each one transaction: a run that dies is taken up where it ended, and runs at the same time do nothing
twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from psycopg.types.json import Jsonb

from payouts import recipients, vault
from payouts.actions import RecipientKeyError, recipient_keys, routing
from payouts.batches import columns
from payouts.batches.columns import Fault, Given, Order
from payouts.batches.seals import totals_of
from payouts.files import tables
from payouts.files.apart import ReaderError, Table
from payouts.files.rows import SheetError
from payouts.jobs import FILES, Job, Stop, never
from payouts.models import Bank, BankList, Batch, BatchRow, ConfigurationAlteredError, Route
from payouts.models.sealed_sets import verified
from payouts.providers import payable
from payouts.states import Status

CHECK = Job("payouts.tasks.check_batch", Batch, Q(checked_at=None, discarded_at=None), queue=FILES)
ROWS_LIMIT = 50_000
CHECKED_AT_ONCE = 1_000
DUPLICATES_WITHIN_DAYS = 30
# After so many tries that stored no row, the file is refused: the worker dies at it, or takes too long. A try that
# gave no sign for so long has ended; before, another worker may be at it.
TRIES_LIMIT = 2
TRY_ENDED_AFTER = timedelta(minutes=1)


def run(batch_id: int, *, must_stop: Stop = never) -> bool:
    """Read the file and store its rows with what is wrong with them; returns False if stopped before the end."""
    batch = _begin_check(batch_id)
    if batch is None:
        return True
    if batch.content is not None:
        try:
            with tables.opened(vault.decrypt_file(bytes(batch.content)), rows_limit=ROWS_LIMIT) as table:
                if not _store(batch_id, table, must_stop):
                    return False
        except ReaderError as error:
            if batch.tries < TRIES_LIMIT:
                return False
            _refuse(batch_id, error.faults)
            return True
        except SheetError as error:
            _refuse(batch_id, error.faults)
            return True
        except vault.UnreadableError:
            _refuse(batch_id, [("unreadable", {})])
            return True
    # This takes seconds, and begins anew if the worker dies in it.
    _mark_repeated(batch_id)
    after = 0
    while (last := _mark_paid_before(batch_id, after)) is not None:
        after = last
        CHECK.give_sign(batch_id)
    _finish_check(batch_id)
    return True


def _begin_check(batch_id: int) -> Batch | None:
    """The batch if it still waits for its check, else None. Each call counts as a try since the last stored row."""
    with transaction.atomic():
        batch = Batch.objects.select_for_update().filter(CHECK.waiting, pk=batch_id).first()
        if batch is None:
            return None
        if batch.tries >= TRIES_LIMIT:
            if Batch.objects.filter(pk=batch_id, seen_at__lt=Now() - TRY_ENDED_AFTER).exists():
                _refuse(batch_id, [("worker_failed", {})])
            return None
        batch.tries += 1
        batch.save(update_fields=["tries"])
    CHECK.give_sign(batch_id)
    return batch


def _store(batch_id: int, table: Table, must_stop: Stop) -> bool:
    """Store the table's rows; returns False if stopped before the end. Raises SheetError."""
    places = columns.places(table.header)
    if not table.total:
        raise SheetError("no_rows")
    while _store_some(batch_id, table, places):
        if must_stop():
            return False
    return True


def _refuse(batch_id: int, faults: Sequence[tuple[str, dict[str, object]]]) -> None:
    refusal = [[code, parameters] for code, parameters in faults]
    Batch.objects.filter(pk=batch_id, checked_at=None).update(content=None, checked_at=Now(), refusal=refusal)


def _store_some(batch_id: int, table: Table, places: dict[str, int]) -> bool:
    """Store the next rows in one transaction. Returns whether more are left. Raises SheetError."""
    with transaction.atomic():
        batch = Batch.objects.select_for_update().defer("content").filter(CHECK.waiting, pk=batch_id).first()
        if batch is None:
            return False
        chunk = table.take(batch.rows_stored, CHECKED_AT_ONCE)
        is_csv = batch.format == Batch.Format.CSV
        ways = _Ways.known()
        given = [(row.number, columns.given(row, table.header, places, is_csv=is_csv)) for row in chunk]
        checked = _rows(batch, given, ways)
        _copy(checked)
        batch.rows_total = table.total
        batch.rows_stored += len(chunk)
        batch.rows_wrong += sum(not row.is_valid for row in checked)
        batch.tries = 0
        is_last = batch.rows_stored == batch.rows_total
        batch.save(update_fields=["rows_total", "rows_stored", "rows_wrong", "tries"])
        if is_last:
            Batch.objects.filter(pk=batch_id).update(content=None)
    CHECK.give_sign(batch_id)
    return not is_last


@dataclass(frozen=True, slots=True)
class _Ways:
    """What a row is held to besides its own cells: the banks, and the routes to the accounts that pay."""

    banks: BankList
    routes: tuple[Route, ...] | None
    """None: SQL has changed them, so nothing is submitted by them."""

    @classmethod
    def known(cls) -> Self:
        try:
            routes = verified(Route.sealed_set)
        except ConfigurationAlteredError:
            routes = None
        return cls(Bank.objects.offered(), routes)

    def faults_of(self, order: Order) -> list[Fault]:
        """What keeps the account that these routes choose from paying the row; they are asked again when it is
        submitted."""
        if self.routes is None:
            return []
        payment: Any = {"recipient": order.recipient, "amount": order.amount, "currency": order.currency}
        obstacle = payable.obstacle(routing.account_for(**payment, routes=self.routes), **payment)
        return [columns.unpayable(obstacle)] if obstacle else []


def _rows(batch: Batch, given: Sequence[tuple[int, Given]], ways: _Ways) -> list[BatchRow]:
    """Of these lines, encrypted and sealed."""
    rows, recipients_of = [], {}
    for number, cells in given:
        order, faults = columns.read(cells, ways.banks)
        if order and (faults := ways.faults_of(order)):
            order = None
        if order:
            recipient = recipients_of[number] = vault.normal(order.recipient)
            rows.append(_valid_row(batch, number, order, recipient))
        else:
            rows.append(_wrong_row(batch, number, cells, faults))
    keys = recipient_keys.in_use([bytes(row.recipient_index or b"") for row in rows if row.is_valid])
    for place, (number, cells) in enumerate(given):
        row = rows[place]
        if not row.is_valid:
            continue
        try:
            recipient_keys.put_under(keys[bytes(row.recipient_index or b"")], row, recipients_of[number])
        except RecipientKeyError:
            rows[place] = _wrong_row(batch, number, cells, [("account", "recipient_key", {})])
    for row in rows:
        row.row_seal = row.expected_row_seal()
    return rows


def _valid_row(batch: Batch, number: int, order: Order, recipient: dict[str, Any]) -> BatchRow:
    return BatchRow(
        batch=batch,
        number=number,
        is_valid=True,
        user_id=order.user_id,
        amount=order.amount,
        currency=order.currency,
        kind=order.kind,
        recipient_masked=vault.masked(recipient),
        recipient_index=recipients.blind_index(recipient),
        comment=order.comment,
        notes=order.notes,
    )


def _wrong_row(batch: Batch, number: int, given: Given, faults: list[Fault]) -> BatchRow:
    return BatchRow(
        batch=batch,
        number=number,
        is_valid=False,
        given=vault.encrypt(given.as_json()),
        errors=[list(fault) for fault in faults],
    )


COPIED = tuple(field.attname for field in BatchRow._meta.concrete_fields if not field.primary_key)
AS_JSON = {"recipient_masked", "errors"}


def _copy(rows: list[BatchRow]) -> None:
    statement = f"COPY payouts_batchrow ({', '.join(COPIED)}) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            values = ((name, getattr(row, name)) for name in COPIED)
            copy.write_row([Jsonb(value) if name in AS_JSON else value for name, value in values])


def _mark_repeated(batch_id: int) -> None:
    """Where rows pay the same amount to the same recipient, note on each the line of the first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE payouts_batchrow AS r SET same_as = f.first
            FROM (SELECT id, number, first_value(number) OVER same AS first FROM payouts_batchrow
                  WHERE batch_id = %s AND is_valid
                  WINDOW same AS (PARTITION BY recipient_index, currency, amount ORDER BY number)) AS f
            WHERE r.id = f.id AND f.first < f.number
            """,
            [batch_id],
        )


def _mark_paid_before(batch_id: int, after: int) -> int | None:
    """Note on the next rows the newest payout of the last days that paid the same. Returns the last row's number."""
    following = BatchRow.objects.filter(batch=batch_id, number__gt=after).order_by("number")
    numbers = list(following.values_list("number", flat=True)[:CHECKED_AT_ONCE])
    if not numbers:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE payouts_batchrow AS r SET earlier_id = e.payout_id
            FROM (SELECT b.id, p.id AS payout_id
                  FROM payouts_batchrow b CROSS JOIN LATERAL (
                      SELECT id FROM payouts_payout
                      WHERE recipient_index = b.recipient_index AND amount = b.amount AND currency = b.currency
                        AND created_at > now() - make_interval(days => %s) AND status <> ALL (%s)
                      ORDER BY created_at DESC LIMIT 1) AS p
                  WHERE b.batch_id = %s AND b.number BETWEEN %s AND %s AND b.is_valid) AS e
            WHERE r.id = e.id
            """,
            [
                DUPLICATES_WITHIN_DAYS,
                [Status.REJECTED.value, Status.CANCELLED.value],
                batch_id,
                numbers[0],
                numbers[-1],
            ],
        )
    return numbers[-1]


def _finish_check(batch_id: int) -> None:
    with transaction.atomic():
        batch = Batch.objects.select_for_update().defer("content").filter(CHECK.waiting, pk=batch_id).first()
        if batch is None:
            return
        batch.totals = totals_of(batch.rows.filter(is_valid=True))
        Batch.objects.filter(pk=batch_id).update(content=None, checked_at=Now(), totals=batch.totals)
