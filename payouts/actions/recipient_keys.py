"""The data keys that recipients are encrypted under: found, or made, in one statement for any number of them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
from django.db import connection, transaction
from django.utils import timezone

from payouts import vault
from payouts.actions.errors import RecipientKeyError
from payouts.models import BatchRow, Payout, RecipientKey

log = structlog.get_logger(__name__)

# Whoever encrypts under a key holds it until its transaction has ended, so that an erasure sees what it is to refuse
# for. Several may hold one; what puts keys under the first of ours goes on beside them.
IN_USE = """
WITH wanted AS (
    SELECT * FROM unnest(%(indexes)s::bytea[], %(numbers)s::int[], %(wrapped)s::text[], %(seals)s::bytea[],
                         %(at)s::timestamptz[])
    AS w (recipient_index, number, wrapped, facts_seal, made_at)
), present AS (
    SELECT id, recipient_index, number, wrapped, made_at, facts_seal FROM payouts_recipientkey
    WHERE recipient_index = ANY(%(indexes)s) AND erased_at IS NULL ORDER BY recipient_index FOR KEY SHARE
), made AS (
    INSERT INTO payouts_recipientkey (recipient_index, number, wrapped, made_at, on_server, reason, facts_seal)
    SELECT recipient_index, number, wrapped, made_at, '', '', facts_seal FROM wanted
    WHERE NOT EXISTS (SELECT FROM present WHERE present.recipient_index = wanted.recipient_index)
    AND number = 1 + coalesce((SELECT max(number) FROM payouts_recipientkey AS k
                               WHERE k.recipient_index = wanted.recipient_index), 0)
    ORDER BY recipient_index ON CONFLICT DO NOTHING
    RETURNING id, recipient_index, number, wrapped, made_at, facts_seal
)
SELECT * FROM present UNION ALL SELECT * FROM made
"""
COLUMNS = ("id", "recipient_index", "number", "wrapped", "made_at", "facts_seal")
LAST = "SELECT recipient_index, max(number) FROM payouts_recipientkey WHERE recipient_index = ANY(%s) GROUP BY 1"


def in_use(indexes: Collection[bytes]) -> dict[bytes, RecipientKey]:
    """The key in use of each recipient, made where there is none, and held until the transaction ends.

    One statement; more only for who was erased before, or is paid for the first time by two at once. The keys of many
    are made in one order, so that two who do so wait for each other and neither for ever.
    """
    found: dict[bytes, RecipientKey] = {}
    missing = sorted(set(indexes))
    numbers: dict[bytes, int] = {}
    while missing:
        found |= _in_use([_new(index, numbers.get(index, 0) + 1) for index in missing])
        missing = [index for index in missing if index not in found]
        numbers = _last_numbers(missing)
    return found


def encrypt(payout: Payout, recipient: Mapping[str, Any]) -> None:
    """Put the recipient under the key in use, which is held until the transaction ends. Raises RecipientKeyError."""
    index = bytes(payout.recipient_index)
    put_under(in_use([index])[index], payout, recipient)


def put_under(key: RecipientKey, row: Payout | BatchRow, recipient: Mapping[str, Any]) -> None:
    """Nothing is stored. Raises RecipientKeyError, and the log says so, where SQL put the key in or changed it."""
    try:
        row.put_under(key, recipient)
    except vault.UnreadableError as error:
        log.error("recipient_key_altered", key=key.pk)
        raise RecipientKeyError from error


def is_under_own_key(row: Payout | BatchRow) -> bool:
    """Whether the recipient, if the row has one, is under a data key, and so can be erased."""
    return not row.recipient or vault.key_named(row.recipient) is not None


def put_under_keys(rows: Iterable[Payout | BatchRow]) -> None:
    """Encrypt the recipients that are under ours still under keys of their own. Raises vault.UnreadableError.

    Nothing is stored.
    """
    clear = [(row, row.recipient_details) for row in rows if not is_under_own_key(row)]
    keys = in_use([bytes(row.recipient_index or b"") for row, _recipient in clear])
    for row, recipient in clear:
        row.put_under(keys[bytes(row.recipient_index or b"")], recipient)


@contextmanager
def held(payout_id: int) -> Iterator[int | None]:
    """Inside nobody erases the payout's recipient. Gives the id of the key, None where it is under none of its own.

    Taken before the payout's lock, because an erasure takes them in this order too.
    """
    with transaction.atomic():
        token = Payout.objects.filter(pk=payout_id).values_list("recipient", flat=True).first()
        key_id = vault.key_named(token or "")
        if key_id is not None:
            RecipientKey.objects.select_for_update(no_key=True).filter(pk=key_id).first()
        yield key_id


def _new(index: bytes, number: int) -> RecipientKey:
    key = RecipientKey(recipient_index=index, number=number, made_at=timezone.now())
    key.wrapped = vault.wrapped(vault.new_data_key(), *key.names)
    key.facts_seal = key.expected_seal()
    return key


def _in_use(new: Sequence[RecipientKey]) -> dict[bytes, RecipientKey]:
    """The key in use of each of these recipients: the new one, if it is the first one or the next."""
    with connection.cursor() as cursor:
        cursor.execute(
            IN_USE,
            {
                "indexes": [bytes(key.recipient_index) for key in new],
                "numbers": [key.number for key in new],
                "wrapped": [key.wrapped for key in new],
                "seals": [bytes(key.facts_seal) for key in new],
                "at": [key.made_at for key in new],
            },
        )
        rows = [RecipientKey(**dict(zip(COLUMNS, row, strict=True))) for row in cursor.fetchall()]
    return {bytes(key.recipient_index): key for key in rows}


def _last_numbers(indexes: Sequence[bytes]) -> dict[bytes, int]:
    if not indexes:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(LAST, [list(indexes)])
        return {bytes(index): number for index, number in cursor.fetchall()}
