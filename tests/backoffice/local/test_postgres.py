"""The PostgreSQL that `make run` and these tests start."""

import os

import psycopg
import pytest

from backoffice.local import postgres
from backoffice.local.postgres import NOT_DURABLE
from backoffice.local.servers import ServiceError
from backoffice.local.services import local_services


def kept_services(directory):
    return local_services(directory, postgres_options=NOT_DURABLE)


def test_a_second_start_keeps_the_data_though_the_machine_crashed(directory):
    with kept_services(directory) as started, psycopg.connect(started.database) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1")
    # After a new start of the machine, any process may have the number that the old server had.
    data = (directory / "postgres").resolve() / "data"
    stale = data / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{data}\n")
    os.chown(stale, data.stat().st_uid, data.stat().st_gid)

    with kept_services(directory) as started, psycopg.connect(started.database) as connection:
        count = connection.execute("SELECT count(*) FROM kept").fetchone()

    assert count == (1,)


def test_data_of_another_postgres_is_refused_with_a_sentence(directory):
    with kept_services(directory):
        pass
    version = (directory / "postgres").resolve() / "data" / "PG_VERSION"
    version.write_text("9\n")

    with pytest.raises(ServiceError, match="made by PostgreSQL 9"), kept_services(directory):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's PostgreSQL runs as another user")
def test_root_keeps_the_data_elsewhere_when_its_clone_is_out_of_reach(directory):
    directory.mkdir(parents=True)
    directory.chmod(0o700)

    with kept_services(directory) as started:
        note = started.servers["postgres"].note
        psycopg.connect(started.database).close()

    home = directory / "postgres"
    assert home.is_symlink()
    assert str(home.resolve()) in note
    assert oct(directory.stat().st_mode)[-3:] == "700"


OLD_FORM = (
    "CREATE ROLE payouts LOGIN CREATEDB PASSWORD 'old'",
    "REASSIGN OWNED BY payouts_owner TO payouts",
    "DROP OWNED BY payouts_app",
    "DROP OWNED BY payouts_owner",
    "DROP ROLE payouts_app",
    "DROP ROLE payouts_owner",
)
WHOSE = "SELECT relowner::regrole::text FROM pg_class WHERE relname IN ('kept', 'kept_id_seq', 'seen') ORDER BY 1"


def test_data_from_before_there_were_two_roles_moves_over(directory):
    with kept_services(directory) as started, psycopg.connect(started.database) as connection:
        connection.execute("CREATE TABLE kept (id serial); CREATE VIEW seen AS SELECT id FROM kept")
        connection.execute("INSERT INTO kept DEFAULT VALUES")
    home, account = (directory / "postgres").resolve(), postgres.service_account()
    programs = postgres._programs(home, account, int((home / "data" / "PG_VERSION").read_text()))
    alone = postgres._Alone(programs, home, account, NOT_DURABLE)
    alone.run(home / "data", "payouts", OLD_FORM)
    for role in ("owner", "app"):
        (home / "data" / f"payouts_{role}.password").unlink()

    with kept_services(directory) as started:
        with psycopg.connect(started.database) as owner:
            whose = owner.execute(WHOSE).fetchall()
            owner.execute("ALTER TABLE kept ADD more text; INSERT INTO kept DEFAULT VALUES")
        with psycopg.connect(started.application) as app:
            times = app.execute("SELECT current_setting('lock_timeout'), current_setting('TimeZone')").fetchone()
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute("SELECT FROM kept")

    assert whose == [("payouts_owner",)] * 3
    assert times == ("5s", "UTC")
