"""Puts a backup into an empty database.

What a backup has, PostgreSQL runs as the role that puts it back. So that role may be no superuser, nor reach the
server's files and programs; and what was queued is not put back: q2's rows are pickles, which run as they are read.
Whatever was due is found by the sweep.
"""

import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any

import psycopg
from psycopg import sql

from payouts.backups import envelope
from payouts.backups.programs import conninfo, program, start, told
from payouts.backups.proof import Proof, Proven
from payouts.places import Place

TABLES = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
# Whether a role could do more to the machine than to its databases.
REACHES_SERVER = """
SELECT coalesce(bool_or(rolsuper OR pg_has_role(role.oid, other, 'MEMBER')), false)
FROM pg_roles AS role,
     unnest('{pg_execute_server_program,pg_write_server_files,pg_read_server_files}'::name[]) AS other
WHERE rolname = %s
"""
PICKLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname IN ('django_q_ormq', 'django_q_task')"


class NotEmptyError(RuntimeError):
    """The database has tables: nothing is put over them."""


class RoleError(RuntimeError):
    """The role could do too much with what a backup has; the text says what to take."""


class BrokenBackupError(RuntimeError):
    """The backup was opened and could not be put back whole; the text says why."""


def restore(place: Place, name: str, parameters: Mapping[str, Any], *, proof: Proof | None) -> None:
    """Put the backup of that name into the database that a connection's parameters name; all of it is that role's.

    Nothing that the proof does not cover gets to PostgreSQL; with None everything does. What has been put back when
    it fails is no whole database. Raises NotEmptyError, RoleError, PlaceError, EnvelopeError, ProgramError where
    there is no pg_restore, BrokenBackupError, and psycopg.OperationalError.
    """
    keys = envelope.identities()
    with psycopg.connect(conninfo(parameters)) as connected:
        major = _require_fit(connected)
    command = [program("pg_restore", server=major), "--no-owner", "--no-privileges", "--exit-on-error"]
    command += ["--no-password", f"--dbname={parameters['dbname']}"]
    with tempfile.TemporaryFile() as errors, place.reading(name) as source:
        process = start(command, parameters, errors, stdin=subprocess.PIPE)
        try:
            with suppress(BrokenPipeError):  # its exit code says why
                given = Proven(source, proof) if proof else source
                envelope.decrypt(given, _input(process), by_keys=keys)
        except envelope.DamagedError as error:
            process.kill()
            raise BrokenBackupError(f"{name} is not as it was written: {error}.") from error
        except BaseException:
            process.kill()
            raise
        finally:
            with suppress(OSError):
                _input(process).close()
            code = process.wait()
        if code:
            raise BrokenBackupError(f"pg_restore ended with {code}: {told(errors)}")
    with psycopg.connect(conninfo(parameters), autocommit=True) as connected:
        _empty_queues(connected)
        connected.execute("ANALYZE")  # or the first queries go through whole tables


def reaches_server(connected: psycopg.Connection[Any], role: str) -> bool:
    """Whether that role is a superuser, or may run programs or read and write files of the server's machine."""
    return connected.execute(REACHES_SERVER, [role]).fetchone() == (True,)


def parameters_of(url: str) -> dict[str, Any]:
    """Of a connection, as psycopg takes them."""
    return dict(psycopg.conninfo.conninfo_to_dict(url))


def _require_fit(connected: psycopg.Connection[Any]) -> int:
    """The server's major version. Raises NotEmptyError and RoleError."""
    role = connected.info.user
    if reaches_server(connected, role):
        raise RoleError(
            f"The role {role} is a superuser, or reaches the server's files and programs, and so would what a backup "
            "has: put it back as the owner of the database, who is neither (docs/roles.md)."
        )
    if connected.execute(TABLES).fetchone() != (0,):
        raise NotEmptyError("The database has tables already: a backup is put into an empty one only.")
    return connected.info.server_version // 10_000


def _empty_queues(connected: psycopg.Connection[Any]) -> None:
    for (table,) in connected.execute(PICKLES).fetchall():
        connected.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table)))


def _input(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdin
    return process.stdin
