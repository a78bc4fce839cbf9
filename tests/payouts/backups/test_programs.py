"""PostgreSQL's programs get a password in their environment, and none of ours."""

import subprocess
import sys
from io import BytesIO
from tempfile import TemporaryFile

import pytest
from django.db import connection

from payouts.backups.programs import ProgramError, connecting, program, start, told

TELL = "import os, sys; print(sorted(os.environ)); print(sys.argv)"


def test_a_program_knows_where_to_connect_and_none_of_our_secrets() -> None:
    parameters = {"host": "db", "user": "payouts", "password": "word", "dbname": "payouts", "options": "-c x=y"}

    with TemporaryFile() as errors:
        process = start([sys.executable, "-c", TELL], parameters, errors, stdout=subprocess.PIPE)
        output = process.communicate()[0].decode()

    assert {"PGHOST", "PGUSER", "PGPASSWORD", "PGDATABASE"} <= set(output.split("'"))
    assert "PGOPTIONS" not in output
    assert "KEY" not in output
    assert "word" not in output


def test_djangos_own_parameters_lead_to_the_same_database() -> None:
    found = connecting(connection.get_connection_params())

    assert {"host", "port", "user", "password", "dbname"} <= found.keys()
    assert {"options", "cursor_factory", "prepare_threshold", "server_side_binding"}.isdisjoint(found)


@pytest.mark.parametrize("name", ["pg_dump", "pg_restore"])
def test_a_program_that_is_new_enough_is_found(name: str) -> None:
    answer = subprocess.run([program(name, server=15), "--version"], capture_output=True, text=True, check=True)

    assert answer.stdout.startswith(f"{name} (PostgreSQL) ")


@pytest.mark.parametrize(("name", "server"), [("pg_dump", 99), ("pg_nothing", 15)])
def test_a_program_that_is_not_there_is_said(name: str, server: int) -> None:
    with pytest.raises(ProgramError, match=f"There is no {name} of PostgreSQL {server}"):
        program(name, server=server)


def test_a_program_that_does_not_start_is_said() -> None:
    with TemporaryFile() as errors, pytest.raises(ProgramError):
        start(["/nowhere/pg_dump"], {}, errors)


def test_the_end_of_what_it_says_is_told_on_one_line() -> None:
    assert told(BytesIO(b"pg_dump: error: no\nhint: none\n")) == "pg_dump: error: no hint: none"
    assert told(BytesIO(b"x" * 5_000)) == "x" * 2_000


def test_rows_that_a_program_quotes_are_not_told() -> None:
    said = (
        b'pg_restore: error: COPY failed for table "auth_user": ERROR:  duplicate key value\n'
        b"DETAIL:  Key (username)=(maria) already exists.\n"
        b'CONTEXT:  COPY auth_user, line 2: "2\tpbkdf2$secret\tmaria\n'
        b'more of it"\n'
        b"pg_restore: warning: errors ignored on restore: 1\n"
    )

    assert told(BytesIO(said)) == (
        'pg_restore: error: COPY failed for table "auth_user": ERROR: duplicate key value '
        "pg_restore: warning: errors ignored on restore: 1"
    )
    assert "maria" not in told(BytesIO(b"hint\n" * 10_000 + said))
