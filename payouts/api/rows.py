"""The reads of the API as SQL: the public columns straight from the rows, cheaper than models by far.

A client sees its own payouts that it has not withdrawn; every statement here says so.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg.types.datetime import TimestamptzLoader
from psycopg.types.string import TextLoader

from payouts.api.schemas import PUBLIC_FIELDS
from payouts.models import ApiClient, Event, Payout, history_of

type Value = int | str | datetime

COLUMNS = ", ".join(PUBLIC_FIELDS)
# What `Payout.stage` and status_detail.py look at, besides the public fields.
WHY = (
    *("version", "approvals_required", "approvals_given", "review_flags", "held_at", "attention"),
    *("scheduled_for", "release_at", "failure_code", "failure_message", "due_at", "waits_for"),
)
# In the order in which `Payout.from_db` wants them.
ONE_FIELDS = tuple(field.attname for field in Payout._meta.concrete_fields if field.attname in {*PUBLIC_FIELDS, *WHY})
OWN = "FROM payouts_payout WHERE client_id = %(client)s AND withdrawn_at IS NULL"
CONDITIONS = {
    "user_id": "user_id = %(user_id)s",
    "status": "status = %(status)s",
    "created_from": "created_at >= %(created_from)s",
    "created_to": "created_at < %(created_to)s",
}


@contextmanager
def _cursor() -> Iterator[CursorWrapper]:
    """A cursor whose UUIDs and times come in forms that are as good for JSON, and faster than Django's."""
    with connection.cursor() as cursor:
        cursor.cursor.adapters.register_loader("uuid", TextLoader)
        cursor.cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
        yield cursor


def one(client: ApiClient, payout_id: int) -> Payout | None:
    """The payout with the fields that an answer tells, ONE_FIELDS, and no others."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(ONE_FIELDS)} {OWN} AND id = %(id)s", {"client": client.pk, "id": payout_id}
        )
        row = cursor.fetchone()
    return Payout.from_db(None, ONE_FIELDS, row) if row else None


def asked_by(payout: Payout) -> list[str]:
    """The review flags that asked for an approval when it came in. Asks the database for flagged payouts alone.

    Raises BundleError where its history is archived, and is not what was sealed.
    """
    if not (payout.approvals_required and payout.review_flags):
        return []
    facts = Event.objects.filter(payout=payout.pk, seq=1).values_list("facts", flat=True).first()
    if facts is None:
        facts = history_of(payout).events[0].facts
    flags: list[str] = facts.get("asked_by", [])
    return flags


def page(
    client: ApiClient, filters: Mapping[str, Value], *, begin: int, size: int
) -> tuple[int, list[dict[str, Any]]]:
    """How many payouts fit the filters (those of CONDITIONS), and `size` of them from `begin` on, newest first."""
    conditions = "".join(f" AND {CONDITIONS[name]}" for name in filters)
    values: dict[str, Value] = {"client": client.pk, **filters, "size": size, "begin": begin}
    with _cursor() as cursor:
        cursor.execute(f"SELECT count(*) {OWN}{conditions}", values)
        (count,) = cursor.fetchone()
        if begin >= count:
            return count, []
        cursor.execute(
            f"SELECT {COLUMNS} {OWN}{conditions} ORDER BY id DESC LIMIT %(size)s OFFSET %(begin)s",
            values,
        )
        return count, [dict(zip(PUBLIC_FIELDS, row, strict=True)) for row in cursor.fetchall()]
