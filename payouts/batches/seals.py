"""What of a batch is sealed: the facts of its own row, and together the terms of its valid rows."""

from decimal import Decimal
from hashlib import sha256
from typing import Any

from django.db import transaction
from django.db.models import Count, QuerySet, Sum

from payouts import money, vault
from payouts.actions.recipient_keys import is_under_own_key, put_under_keys
from payouts.batches.errors import BatchAlteredError
from payouts.models import Batch, BatchRow, BatchState

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


def renew(batch_id: int) -> bool | None:
    """Encrypt and seal a batch and all its rows anew, under the first keys. Returns whether there was anything to do.

    None while a task works on it: it would compare our new seals with the old ones that it has read.
    Raises BatchAlteredError, and changes nothing, where a seal does not fit, and vault.UnreadableError.
    """
    with transaction.atomic():
        batch = Batch.objects.select_for_update().get(pk=batch_id)
        if batch.state in (BatchState.CHECKING, BatchState.SUBMITTING):
            return None
        rows = list(batch.rows.order_by("number"))
        if (
            all(map(vault.is_by_first_key, (batch.facts_seal, *(row.row_seal for row in rows))))
            and (batch.rows_seal is None or vault.is_by_first_key(batch.rows_seal))
            and all(vault.is_by_first_field_key(row.given) and is_under_own_key(row) for row in rows)
        ):
            return False
        if not batch.is_sealed:
            raise BatchAlteredError
        if batch.rows_seal is not None:
            check_rows(batch)
        if not all(row.is_sealed for row in rows):
            raise BatchAlteredError
        put_under_keys(rows)
        for row in rows:
            row.given = vault.encrypted_anew(row.given)
            row.row_seal = row.expected_row_seal()
        BatchRow.objects.bulk_update(rows, ["recipient", "given", "row_seal"], batch_size=SEALS_AT_ONCE)
        if batch.rows_seal is not None:
            batch.rows_seal, _totals = sealed_rows(batch)
            Batch.objects.filter(pk=batch.pk).update(rows_seal=batch.rows_seal)
        seal_facts(batch)
    return True


def seal_facts(batch: Batch) -> None:
    Batch.objects.filter(pk=batch.pk).update(facts_seal=batch.expected_facts_seal())
