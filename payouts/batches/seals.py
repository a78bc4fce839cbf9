"""What of a batch is sealed: the facts of its own row, and together the terms of its valid rows."""

from decimal import Decimal
from hashlib import sha256
from typing import Any

from django.db.models import Count, QuerySet, Sum

from payouts import money, vault
from payouts.batches.errors import BatchAlteredError
from payouts.models import Batch, BatchRow

SEALS_AT_ONCE = 2_000


def totals_of(rows: QuerySet[BatchRow]) -> list[list[Any]]:
    summed = rows.order_by("currency").values_list("currency").annotate(Count("pk"), Sum("amount"))
    return [[currency, count, money.plain(amount or Decimal(0))] for currency, count, amount in summed]


def check_rows(batch: Batch) -> None:
    """Raises BatchAlteredError unless the valid rows are those that were sent."""
    seal, totals = sealed_rows(batch, like=batch.rows_seal)
    if seal != bytes(batch.rows_seal or b"") or totals != batch.totals:
        raise BatchAlteredError


def sealed_rows(batch: Batch, *, like: vault.Stored = b"") -> tuple[bytes, list[list[Any]]]:
    """One seal over the terms of all valid rows, and their totals, from the rows as they are.

    With `like`, to be compared with that seal.
    Raises BatchAlteredError when a row's own seal does not fit.
    """
    together = sha256()
    count = 0
    rows = batch.rows.filter(is_valid=True).order_by("number").defer("given", "errors", "notes", "refusal")
    for row in rows.iterator(chunk_size=SEALS_AT_ONCE):
        if not row.is_sealed:
            raise BatchAlteredError
        together.update(row.row_seal)
        count += 1
    totals = totals_of(batch.rows.filter(is_valid=True))
    return vault.seal("batch-rows", batch.pk, count, together.hexdigest(), like=like), totals


def seal_facts(batch: Batch) -> None:
    Batch.objects.filter(pk=batch.pk).update(facts_seal=batch.expected_facts_seal())
