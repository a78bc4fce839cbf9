"""A real standby of the tests' server, as the product's second database. Fixtures for who asks for them by name."""

import copy
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections

from backoffice.environment import session_options
from backoffice.local.standby import Standby, standby_of
from payouts.database import replica
from payouts.database.replica import REPLICA
from tests import OWNER_URL, SERVER_DATA
from tests.databases import Database

# For tests with a `follower`, which commit.
needs_standby = pytest.mark.django_db(transaction=True, databases=["default", REPLICA])


class Follower:
    """The standby, as the product has it: tests pause it, and wait for it."""

    def __init__(self, standby: Standby) -> None:
        self._standby = standby
        self.port = standby.port
        self._account = {name: connection.settings_dict[name] for name in ("NAME", "USER", "PASSWORD")}

    def pause(self) -> None:
        self._standby.pause()

    def resume(self) -> None:
        self._standby.resume()
        self.catch_up()

    def catch_up(self) -> None:
        self._standby.catch_up(os.environ[OWNER_URL])

    def point_to(self, port: int, **account: Any) -> None:
        """The product finds another server, or none, under the standby's name."""
        connections[REPLICA].close()
        connections[REPLICA].settings_dict |= self._account | {"PORT": str(port)} | account
        replica.forget()


@pytest.fixture(scope="session")
def server_data(database: Database) -> Path:
    """Of the tests' server, which has the worker's own database by now."""
    if not os.environ[SERVER_DATA]:
        pytest.skip("DATABASE_URL names a server that is not ours to copy.")
    return Path(os.environ[SERVER_DATA])


@pytest.fixture(scope="session")
def standby(server_data: Path) -> Iterator[Standby]:
    with standby_of(server_data) as found:
        yield found


@pytest.fixture(scope="module")
def second_database(standby: Standby) -> Iterator[None]:
    """Before the database of a test is there, so that `needs_standby` can name it."""
    conf: dict[str, Any] = copy.deepcopy(connection.settings_dict)
    conf["PORT"] = str(standby.port)
    conf["OPTIONS"]["options"] += " " + session_options({"default_transaction_read_only": "on"})
    conf["TEST"]["MIRROR"] = "default"
    connections.settings[REPLICA] = conf
    yield
    connections[REPLICA].close()
    del connections[REPLICA]
    del connections.settings[REPLICA]


@pytest.fixture
def follower(second_database: None, standby: Standby, transactional_db: None, settings: Any) -> Iterator[Follower]:
    """The product has a standby, which has all that was committed so far, and may lag while a test lasts."""
    settings.REPLICA_LAG_SECONDS = 300
    found = Follower(standby)
    found.point_to(standby.port)
    found.catch_up()
    replica.warn()  # as the product does at its start, which has seen where the primary was
    yield found
    found.point_to(standby.port)
    found.resume()
