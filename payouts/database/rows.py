"""Many rows in one statement. They travel as one JSON document, which costs far less than a parameter for each value.

For columns whose JSON spelling PostgreSQL reads back exactly: numbers, texts, times, UUIDs, bytes, JSON.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import msgspec
from django.db import connection
from django.db.models import Field, Model


class StaleError(RuntimeError):
    """A row was not as it had been read under its lock: a bug, never a caller's fault."""


def insert(*batches: Sequence[Model]) -> None:
    """Insert batches of rows, each of one model, all in one statement. Rows without a key get it there."""
    given = [(rows, *_columns(type(rows[0]), _given_names(rows[0]))) for rows in batches if rows]
    if not given:
        return
    inserts = [
        f'i{number} AS (INSERT INTO "{rows[0]._meta.db_table}" ({quoted}) '  # noqa: S608 (names from the models alone)
        f"SELECT {quoted} FROM jsonb_to_recordset(%s::jsonb) AS v ({typed}))"
        for number, (rows, _fields, quoted, typed) in enumerate(given)
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH {', '.join(inserts)} SELECT", [_document(fields, rows) for rows, fields, *_texts in given]
        )


def _given_names(row: Model) -> tuple[str, ...]:
    return tuple(field.name for field in row._meta.concrete_fields if field.name != "id" or row.pk)


def update(
    model: type[Model],
    rows: Sequence[Model],
    names: tuple[str, ...],
    *,
    key: str = "id",
    was_status: Sequence[str] | None = None,
) -> None:
    """Set these fields of the rows found by `key`; with `was_status`, from that status and the version before alone.

    Raises StaleError when it does not reach every row: the transaction then changes nothing.
    """
    if not rows:
        return
    fields, _quoted, typed = _columns(model, (key, *names))
    found_by, *changed = fields
    sets = ", ".join(f'"{column.column}" = v."{column.column}"' for column in changed)
    condition = "" if was_status is None else "AND t.status = v.was_status AND t.version = v.version - 1"
    with connection.cursor() as cursor:
        cursor.execute(
            f'UPDATE "{model._meta.db_table}" AS t SET {sets} '  # noqa: S608 (names from the models alone)
            f"FROM jsonb_to_recordset(%s::jsonb) AS v ({typed}, was_status varchar) "
            f'WHERE t."{found_by.column}" = v."{found_by.column}" {condition}',
            [_document(fields, rows, was_status)],
        )
        if cursor.rowcount != len(rows):
            raise StaleError(f"{len(rows) - cursor.rowcount} of {len(rows)} rows had changed under their lock")


@cache
def _columns(model: type[Model], names: tuple[str, ...]) -> tuple[list["Field[Any, Any]"], str, str]:
    """The fields, their columns' names, and the names with their types."""
    fields = [cast("Field[Any, Any]", model._meta.get_field(name)) for name in names]
    quoted = ", ".join(f'"{field.column}"' for field in fields)
    typed = ", ".join(f'"{field.column}" {field.rel_db_type(connection)}' for field in fields)
    return fields, quoted, typed


def _document(
    fields: Sequence["Field[Any, Any]"], rows: Sequence[Model], was_status: Sequence[str] | None = None
) -> str:
    documents = [{field.column: _spelled(getattr(row, field.attname)) for field in fields} for row in rows]
    for document, status in zip(documents, was_status or (), strict=False):
        document["was_status"] = status
    return msgspec.json.encode(documents).decode()


def _spelled(value: object) -> object:
    return f"\\x{bytes(value).hex()}" if isinstance(value, bytes | memoryview) else value
