"""The PostgreSQL that `make run` and these tests start."""

import os

import psycopg
import pytest

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
