"""What is read from the standby, and when the primary is read in its place."""

import logging
import os
import signal
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import (
    DEFAULT_DB_ALIAS,
    InternalError,
    OperationalError,
    ProgrammingError,
    connection,
    connections,
)

from backoffice.local.postgres import NOT_DURABLE, POSTGRES_OPTIONS, postgres_server
from backoffice.local.servers import free_port
from backoffice.local.standby import data_of, standby_of
from payouts.database import replica
from payouts.database.replica import REPLICA, ReplicaError
from payouts.database.rights import APP
from payouts.models import ApiClient
from tests import OWNER_URL, recipes
from tests.standby import Follower, needs_standby
from tests.waiting import wait_until

pytestmark = needs_standby
# After so long a standby that stands still goes on: whoever waited for it shows that by what they found.
HANGS_SECONDS = 60.0


def source(**given: Any) -> str:
    return replica.read(lambda alias: alias, **given)


def names(alias: str) -> list[str]:
    return list(ApiClient.objects.using(alias).order_by("name").values_list("name", flat=True))


def test_what_is_committed_is_read_from_the_standby(follower: Follower) -> None:
    recipes.client.make(name="shop")
    follower.catch_up()

    assert replica.read(lambda alias: (alias, names(alias))) == (REPLICA, ["shop"])


def test_a_standby_has_caught_up_when_it_has_what_was_committed_without_waiting_for_the_disk(
    follower: Follower,
) -> None:
    """As the tests' rows are put back: a test saw those of the one before."""
    recipes.person.make(username="maker")
    name = connection.settings_dict["NAME"]
    with psycopg.connect(os.environ[OWNER_URL], dbname=name, options="-c synchronous_commit=off") as session:
        for number in range(20):
            session.execute("UPDATE auth_user SET first_name = %s", [str(number)])
            session.commit()
            follower.catch_up()

            assert User.objects.using(REPLICA).get().first_name == str(number)


def test_who_has_written_sees_it_whatever_the_standby_has(follower: Follower) -> None:
    assert source() == REPLICA
    follower.pause()
    recipes.client.make(name="shop")
    seen = replica.written().lsn

    assert replica.read(lambda alias: (alias, names(alias))) == (REPLICA, [])
    assert replica.read(names, seen=seen) == ["shop"]
    assert source(seen=seen) == DEFAULT_DB_ALIAS

    follower.resume()

    assert source(seen=seen) == REPLICA


def test_a_task_waits_for_what_was_written_before_it(follower: Follower) -> None:
    follower.pause()
    recipes.client.make(name="shop")
    seen = replica.written().lsn
    later = threading.Timer(0.3, follower.resume)
    later.start()

    found = replica.read(lambda alias: (alias, names(alias)), seen=seen, patience_seconds=60)
    later.join()

    assert found == (REPLICA, ["shop"])


def test_a_standby_that_lags_is_left_until_it_has_caught_up(
    follower: Follower, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REPLICA_LAG_SECONDS = 1
    wait_until(lambda: source() == REPLICA)
    follower.pause()
    recipes.client.make(name="shop")

    wait_until(lambda: source() == DEFAULT_DB_ALIAS)
    assert replica.standing().why_not == replica.LATE
    assert replica.standing().lag_seconds > 1

    follower.resume()
    wait_until(lambda: source() == REPLICA)
    found = replica.standing()
    assert (found.why_not, found.lag_seconds) == ("", 0.0)


def test_a_standby_that_is_away_is_not_waited_for_again(
    follower: Follower, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower.point_to(free_port())

    with caplog.at_level(logging.INFO):
        assert source() == DEFAULT_DB_ALIAS
        connections[REPLICA].settings_dict["PORT"] = str(follower.port)
        assert source() == DEFAULT_DB_ALIAS
        monkeypatch.setattr(replica, "LEFT_ALONE_SECONDS", 0.0)
        follower.point_to(follower.port)
        assert source() == REPLICA

    assert "replica_not_used" in caplog.text
    assert replica.AWAY in caplog.text


def test_a_standby_that_hangs_holds_nobody_up(
    follower: Follower, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its disk stands still, say: its kernel goes on acknowledging, and its own time-outs do not come."""
    monkeypatch.setattr(replica, "TELLS_WITHIN_SECONDS", 0.5)
    with connections[REPLICA].cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (serves_us,) = cursor.fetchone()
    woken = threading.Event()
    os.kill(serves_us, signal.SIGSTOP)
    # By then somebody has waited for it, who goes on.
    wakes = threading.Timer(HANGS_SECONDS, lambda: (woken.set(), os.kill(serves_us, signal.SIGCONT)))
    wakes.start()
    try:
        found = source()
        hung_till_then = not woken.is_set()
    finally:
        wakes.cancel()
        os.kill(serves_us, signal.SIGCONT)

    assert found == DEFAULT_DB_ALIAS
    assert hung_till_then


def test_who_asks_seldom_reads_from_a_standby_that_is_a_moment_behind(
    follower: Follower, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside a busy primary it always is; half of the lists went to the primary, and the log called it too old."""
    settings.REPLICA_LAG_SECONDS = 1
    monkeypatch.setattr(replica, "UNSURE_SECONDS", 60.0)
    follower.pause()
    recipes.client.make(name="shop")
    replica.forget()
    later = threading.Timer(0.3, follower.resume)
    later.start()

    found = source()
    later.join()

    assert found == REPLICA


def test_a_standby_that_surely_lags_is_not_waited_for(
    follower: Follower, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REPLICA_LAG_SECONDS = 1
    follower.pause()
    recipes.client.make(name="shop")
    wait_until(lambda: replica.standing().lag_seconds > 1)
    monkeypatch.setattr(replica, "UNSURE_SECONDS", 2 * HANGS_SECONDS)
    later = threading.Timer(HANGS_SECONDS, follower.resume)  # who waits for it sees it come
    later.start()

    found = source()
    later.cancel()

    assert found == DEFAULT_DB_ALIAS


def test_what_breaks_half_way_is_asked_of_the_primary(follower: Follower) -> None:
    asked = []

    def ask(alias: str) -> list[str]:
        asked.append(alias)
        if alias == REPLICA:
            connections[REPLICA].connection.close()
        return names(alias)

    recipes.client.make(name="shop")

    assert replica.read(ask) == ["shop"]
    assert asked == [REPLICA, DEFAULT_DB_ALIAS]


def test_a_statement_that_takes_too_long_is_not_asked_twice(follower: Follower) -> None:
    asked = []

    def ask(alias: str) -> None:
        asked.append(alias)
        with connections[alias].cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 50")
            cursor.execute("SELECT pg_sleep(60)")

    with pytest.raises(OperationalError, match="statement timeout"):
        replica.read(ask)

    assert asked == [REPLICA]


def test_a_server_that_does_not_tell_how_far_it_has_come_is_not_read_from(
    follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that has its own way of replicating, and none of PostgreSQL's functions for it."""
    monkeypatch.setattr(replica, "REPLAYED", replica.REPLAYED.replace("pg_control_recovery", "aurora_has_none"))
    follower.point_to(follower.port)

    assert source() == DEFAULT_DB_ALIAS
    assert replica.standing().why_not == replica.UNTOLD


def test_a_fault_of_ours_is_not_hidden(follower: Follower) -> None:
    asked = []

    def ask(alias: str) -> None:
        asked.append(alias)
        connections[alias].cursor().execute("SELECT no_such_column FROM auth_user")

    with pytest.raises(ProgrammingError):
        replica.read(ask)

    assert asked == [REPLICA]


def test_a_primary_is_no_standby(follower: Follower, caplog: pytest.LogCaptureFixture) -> None:
    follower.point_to(int(connection.settings_dict["PORT"]))

    assert replica.standing().why_not == replica.PRIMARY
    assert source() == DEFAULT_DB_ALIAS


def test_a_promoted_standby_and_what_follows_it_are_not_ours_any_more(follower: Follower, server_data: Path) -> None:
    """Left over from a failover, or from a test of one: their logs go on where ours does not."""
    with standby_of(server_data) as promoted:
        promoted.promote()
        follower.point_to(promoted.port)
        wait_until(lambda: replica.standing().why_not == replica.PRIMARY)
        with standby_of(promoted.data) as follows_it:
            follower.point_to(follows_it.port)
            connection.cursor().execute("SELECT txid_current()")

            assert replica.standing().why_not == replica.LOST
            assert source() == DEFAULT_DB_ALIAS


@pytest.mark.takes_long
def test_another_installations_standby_is_not_read_from(follower: Follower, tmp_path: Path) -> None:
    """Its log is further than ours, and what it has is somebody else's."""
    tmp_path.chmod(0o711)
    with postgres_server(tmp_path, POSTGRES_OPTIONS | NOT_DURABLE) as server:
        url = urlsplit(server.url)
        with psycopg.connect(server.url, autocommit=True) as theirs:
            theirs.execute("CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 100000)")
        with standby_of(Path(data_of(server))) as standby:
            standby.catch_up(server.url)
            follower.point_to(standby.port, NAME=url.path[1:], USER=url.username, PASSWORD=url.password)

            assert replica.standing().why_not == replica.FOREIGN
            assert source() == DEFAULT_DB_ALIAS


def test_nothing_is_written_through_it(follower: Follower) -> None:
    recipes.person.make(username="maker")
    follower.catch_up()

    with pytest.raises(InternalError, match="read-only"):
        replica.read(lambda alias: User.objects.using(alias).update(username="other"))
    with pytest.raises(InternalError, match="read-only"):
        replica.read(lambda alias: User.objects.using(alias).create(username="another"))
    with pytest.raises(InternalError, match="read-only"):
        replica.read(lambda alias: list(User.objects.using(alias).select_for_update()))
    with connections[REPLICA].cursor() as cursor:  # whatever a session says of itself
        cursor.execute("SET default_transaction_read_only = off")
        with pytest.raises(InternalError, match="read-only"):
            cursor.execute("UPDATE auth_user SET username = 'other'")

    assert list(User.objects.values_list("username", flat=True)) == ["maker"]


def test_a_row_that_was_read_from_it_is_not_saved_and_not_deleted(follower: Follower) -> None:
    recipes.client.make(name="shop")
    follower.catch_up()
    row = replica.read(lambda alias: ApiClient.objects.using(alias).get())

    for write in (row.save, row.delete):
        with pytest.raises(ReplicaError, match="ApiClient"):
            write()

    assert names(DEFAULT_DB_ALIAS) == ["shop"]


def test_a_row_that_was_read_from_it_is_of_no_row_of_the_primary(follower: Follower, client: ApiClient) -> None:
    follower.catch_up()
    row = replica.read(lambda alias: ApiClient.objects.using(alias).get())

    with pytest.raises(ValueError, match="prevents this relation"):
        recipes.pending_payout().client = row


def test_it_is_read_with_the_rights_of_the_product(follower: Follower) -> None:
    with connections[REPLICA].cursor() as cursor:
        cursor.execute("SELECT current_user, pg_is_in_recovery(), current_setting('transaction_read_only')")
        assert cursor.fetchone() == (APP, True, "on")
