"""The database is put back to how it was a minute ago, near the end of the storm. The provider's ledger is not."""

import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import psycopg
from psycopg.sql import Composed

from tests.copies import copying

PATIENCE_SECONDS: Final = 60.0
COPY: Final = "minute_ago"


class Backup:
    """Of the campaign's own database, taken and put back by its owner; whoever is connected is thrown out."""

    def __init__(self, database: str) -> None:
        parts = urlsplit(database)
        self._name = parts.path.removeprefix("/")
        self._server = parts._replace(path="/postgres").geturl()
        self.taken_at = 0.0
        self.restored_at = 0.0
        """By time.time(); 0 until then."""

    def take(self) -> None:
        self._alone(*copying(self._name, COPY))
        self.taken_at = time.time()

    def put_back(self) -> None:
        self._alone(f"DROP DATABASE {self._name} WITH (FORCE)", f"ALTER DATABASE {COPY} RENAME TO {self._name}")
        self.restored_at = time.time()

    def _alone(self, *statements: str | Composed) -> None:
        """With nobody connected. PostgreSQL may be away for a moment, because others kill it."""

        def act() -> None:
            with psycopg.connect(self._server, autocommit=True) as server:
                server.execute(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS false")
                try:
                    server.execute(
                        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
                        [self._name],
                    )
                    while left:
                        server.execute(left[0])
                        left.pop(0)
                finally:
                    server.execute(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS true")

        left = list(statements)
        _patiently(act)


def _patiently(act: Callable[[], None]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return act()
        except psycopg.Error:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.2)
