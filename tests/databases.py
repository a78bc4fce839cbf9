"""A database for each worker of a run, copied from one that is migrated once, and put back after tests that commit.

A test with threads or processes commits, so no roll-back takes its rows away. TRUNCATE would need the append-only
triggers to be disabled by name, and would take what the migrations wrote too. Here all rows are remembered as the
migrations left them, and the tables that a test has changed get them back. Where it has changed the schema, the
database is copied anew.

Django's connections have the rights of the product's role, so that what needs more fails here as in production.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection, transaction
from psycopg import sql

from backoffice.environment import session_options
from payouts.database.rights import APP
from tests import OWNER_URL
from tests.copies import copying
from tests.waiting import wait_until

# As whom the product is tested. The owner logs in, who alone can become the owner again: see `as_owner`.
LEAST_RIGHTS = session_options({"role": APP})
# A server of DATABASE_URL may have no such role; there the tests run as the owner.
HAS_ROLE = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s AND pg_has_role(oid, 'MEMBER'))"
# Of a run: what the template's comment says when it was made by this one.
RUN = uuid.uuid4().hex
TEMPLATE_LOCK = 20_260_114

TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
SEQUENCES = "SELECT relname FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace ORDER BY 1"
# Relations, columns, constraints and triggers, enabled or not.
SCHEMA = """
SELECT relname, relkind::text, relnatts, relchecks,
       (SELECT array_agg(conname ORDER BY conname) FROM pg_constraint WHERE conrelid = c.oid),
       (SELECT array_agg(tgname::text || tgenabled::text ORDER BY tgname) FROM pg_trigger
        WHERE tgrelid = c.oid AND NOT tgisinternal)
FROM pg_class AS c WHERE relnamespace = 'public'::regnamespace ORDER BY 1
"""
# One that is still logging in has no name yet, and may not be ended by us.
END_OTHERS = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
AND pg_has_role(usename, 'MEMBER')
"""


class Database:
    """A worker's own database. Django's connections go to it from now on."""

    def __init__(self, server: str, name: str, template: str) -> None:
        self._server = server
        self._name = name
        self._template = template
        self._copy()

    def put_back(self) -> None:
        """All rows and sequences are as the migrations left them. Whoever else is connected loses the connection."""
        connection.close()
        with self._own.transaction():
            self._own.execute(END_OTHERS)
            is_same = self._own.execute(SCHEMA).fetchall() == self._schema
            if is_same:
                self._put_rows_back()
        if not is_same:
            self.drop()
            self._copy()

    def drop(self) -> None:
        connection.close()
        self._own.close()
        with psycopg.connect(self._server, autocommit=True) as server:
            _drop(server, self._name)

    def _copy(self) -> None:
        with psycopg.connect(self._server, autocommit=True) as server:
            _drop(server, self._name)
            for statement in copying(self._template, self._name):
                server.execute(statement)
            has_role = server.execute(HAS_ROLE, [APP]).fetchone() == (True,)
        _turn_to(self._name, LEAST_RIGHTS if has_role else "")
        # Kept, because a new one would have to learn of every table anew.
        self._own = own = psycopg.connect(self._server, dbname=self._name, autocommit=True)
        self._schema = own.execute(SCHEMA).fetchall()
        self._rows = {name: _copied_out(own, name) for (name,) in own.execute(TABLES).fetchall()}
        self._counts = {name: _count(own, name) for name in self._rows}
        self._sequences = {
            name: own.execute(_named("SELECT last_value, is_called FROM {}", name)).fetchone()
            for (name,) in own.execute(SEQUENCES).fetchall()
        }
        self._as_of = _transaction(own)

    def _put_rows_back(self) -> None:
        """A row that was written since has the number of a later transaction; a deleted one is missing."""
        own = self._own
        changed = self._changed()
        self._as_of = _transaction(own)
        own.execute("SET CONSTRAINTS ALL DEFERRED")
        for name in changed:
            own.execute(_named("ALTER TABLE {} DISABLE TRIGGER USER", name))
        for name in changed:
            own.execute(_named("DELETE FROM {}", name))
        for name in changed:
            with own.cursor().copy(_named("COPY {} FROM STDIN (FORMAT binary)", name)) as copy:
                copy.write(self._rows[name])
        own.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for name in changed:
            own.execute(_named("ALTER TABLE {} ENABLE TRIGGER USER", name))
        for name, (last_value, is_called) in self._sequences.items():
            own.execute("SELECT setval(%s::regclass, %s, %s)", [f'"{name}"', last_value, is_called])
        ContentType.objects.clear_cache()

    def _changed(self) -> list[str]:
        count = "SELECT {}, count(*), count(*) FILTER (WHERE xmin::text::bigint > {}) FROM {}"
        counts = [sql.SQL(count).format(name, self._as_of, sql.Identifier(name)) for name in self._rows]
        return [
            name
            for name, count, later in self._own.execute(sql.SQL(" UNION ALL ").join(counts)).fetchall()
            if later or count != self._counts[name]
        ]


@contextmanager
def own_database(server: str, worker: str, run: str = RUN) -> Iterator[Database]:
    """A migrated database of this worker while the block runs, on the server of the URL."""
    template = f"{psycopg.conninfo.conninfo_to_dict(server)['dbname']}_tests"
    with psycopg.connect(server, autocommit=True) as connected:
        connected.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])
        _make_template(connected, template, run)
        own = Database(server, f"{template}_{worker}", template)
    try:
        yield own
    finally:
        own.drop()


def _make_template(server: "psycopg.Connection[Any]", name: str, run: str) -> None:
    """Unless another worker of this run has made it."""
    made_by = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
    if server.execute(made_by, [name]).fetchone() == (run,):
        return
    _drop(server, name)
    server.execute(_named("CREATE DATABASE {}", name))
    _turn_to(name)
    call_command("migrate", run_syncdb=True, verbosity=0)
    connection.close()
    server.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), run))


@contextmanager
def as_owner() -> Iterator[None]:
    """What is inside has the rights of the owner of the tables, in the transaction of the test if there is one."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('role')")
        (before,) = cursor.fetchone()
        cursor.execute("SET LOCAL ROLE NONE")
        yield
        cursor.execute(f"SET LOCAL ROLE {before}")


def application_url() -> str:
    """The present database, as a program that a test starts is to use it."""
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()


def _turn_to(name: str, options: str = "") -> None:
    """Every connection of Django's, of whatever thread, is to this database from now on, logged in as its owner."""
    connection.close()
    owner = urlsplit(os.environ[OWNER_URL])
    connection.settings_dict |= {"NAME": name, "USER": owner.username, "PASSWORD": owner.password}
    given = session_options(settings.DATABASE_SESSION)
    connection.settings_dict["OPTIONS"]["options"] = f"{given} {options}"


def _drop(server: "psycopg.Connection[Any]", name: str) -> None:
    """Who is still logging in, or cleans up for the server, may not be ended by us, and is gone in a moment."""
    statement = _named("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
    wait_until(lambda: server.execute(statement), f"{name} is dropped", errors=psycopg.errors.InsufficientPrivilege)


def _named(statement: str, *names: str) -> sql.Composed:
    return sql.SQL(statement).format(*map(sql.Identifier, names))


def _copied_out(own: "psycopg.Connection[Any]", name: str) -> bytes:
    with own.cursor().copy(_named("COPY {} TO STDOUT (FORMAT binary)", name)) as copy:
        return b"".join(copy)


def _count(own: "psycopg.Connection[Any]", name: str) -> int:
    return int(own.execute(_named("SELECT count(*) FROM {}", name)).fetchone()[0])  # type: ignore[index]


def _transaction(own: "psycopg.Connection[Any]") -> int:
    """The number of the present transaction, as rows that it writes have it."""
    return int(own.execute("SELECT pg_current_xact_id()::xid::text::bigint").fetchone()[0])  # type: ignore[index]
