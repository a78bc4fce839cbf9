"""Puts a backup into an empty database."""

import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any

import psycopg

from payouts.backups import envelope
from payouts.backups.programs import conninfo, program, start, told
from payouts.places import Place

TABLES = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"


class NotEmptyError(RuntimeError):
    """The database has tables: nothing is put over them."""


class BrokenBackupError(RuntimeError):
    """The backup was opened and could not be put back whole; the text says why."""


def restore(place: Place, name: str, parameters: Mapping[str, Any]) -> None:
    """Put the backup of that name into the database that a connection's parameters name; all of it is that role's.

    What has been put back when it fails is no whole database. Raises NotEmptyError, PlaceError, EnvelopeError,
    ProgramError where there is no pg_restore, BrokenBackupError, and psycopg.OperationalError.
    """
    keys = envelope.identities()
    with psycopg.connect(conninfo(parameters)) as connected:
        tables = connected.execute(TABLES).fetchone()
        major = connected.info.server_version // 10_000
    if tables != (0,):
        raise NotEmptyError("The database has tables already: a backup is put into an empty one only.")
    command = [program("pg_restore", server=major), "--no-owner", "--no-privileges", "--exit-on-error"]
    command += ["--no-password", f"--dbname={parameters['dbname']}"]
    with tempfile.TemporaryFile() as errors, place.reading(name) as source:
        process = start(command, parameters, errors, stdin=subprocess.PIPE)
        try:
            with suppress(BrokenPipeError):  # its exit code says why
                envelope.decrypt(source, _input(process), by_keys=keys)
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
        connected.execute("ANALYZE")  # or the first queries go through whole tables


def parameters_of(url: str) -> dict[str, Any]:
    """Of a connection, as psycopg takes them."""
    return dict(psycopg.conninfo.conninfo_to_dict(url))


def _input(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdin
    return process.stdin
