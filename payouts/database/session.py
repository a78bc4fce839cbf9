"""What a session of ours at the server must be like, or nothing is started on it.

A pooler may refuse what a session asks for as it begins, or drop it without a word. Then a statement that waits for a
lock waits for ever, and statements that were prepared for one client are met by another.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection

POOLED = (
    "A connection pooler answers at DATABASE_URL. Set DATABASE_POOLER=transaction, and give the role its time-outs "
    "by deploy/sql/roles.sql."
)
TIMES = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


def why_unfit() -> str:
    """Why this server must not be used, in a sentence that says what to set; empty while it does not answer."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_user, pg_backend_pid(), array_agg(setting::bigint ORDER BY wanted.number)"
                " FROM pg_settings JOIN unnest(%s::text[]) WITH ORDINALITY AS wanted (name, number) USING (name)",
                [list(TIMES)],
            )
            role, pid, found = cursor.fetchone()
            told = connection.connection.info.backend_pid
    except OperationalError as error:
        return why_refused(error)
    if not settings.DATABASE_POOLER and pid != told:
        return POOLED  # it has told a number of its own
    return _wrong_times(role, found)


def why_refused(error: Exception) -> str:
    """The same, where the server or a pooler gave us no session; empty where it may be away."""
    return POOLED if "unsupported startup parameter" in str(error) else ""


def _wrong_times(role: str, found: Sequence[int]) -> str:
    """Behind a pooler they may be shorter than what each process would ask for; none may be without end."""
    session: Mapping[str, Any] = settings.DATABASE_SESSION
    asked = [int(session[name]) for name in TIMES]
    wrong = [
        f"{name} is {ms} ms and must be from 1 to {most}"
        for name, ms, most in zip(TIMES, found, asked, strict=True)
        if not 0 < ms <= most
    ]
    if not wrong:
        return ""
    remedy = (
        "Run deploy/sql/roles.sql, which gives the role its time-outs, then have the pooler connect anew."
        if settings.DATABASE_POOLER
        else "The server does not take what each session asks for: let nothing between them drop it."
    )
    return f"In the sessions of the role {role}, {', '.join(wrong)}. {remedy}"
