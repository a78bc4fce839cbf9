"""A real PostgreSQL and a real Redis-compatible server on this machine, for `make run` and for the tests.

Those of `DATABASE_URL` and `REDIS_URL` where they are set, else servers of our own. What is started here listens on
127.0.0.1 alone, on a free port, behind a random password, and ends with the process that started it.

`python -m backoffice.local.services -- COMMAND` runs a command on throwaway services, with production's settings.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from backoffice.environment import SETTINGS
from backoffice.local.postgres import NOT_DURABLE, POSTGRES_OPTIONS, postgres_server
from backoffice.local.redis import redis_server
from backoffice.local.secrets import new_secrets
from backoffice.local.servers import Server, ServiceError


@dataclass(frozen=True)
class Services:
    """Where the services are, and by name the servers that were started here."""

    database: str
    """As the owner of its tables, who migrates."""
    redis: str
    servers: Mapping[str, Server]
    application: str
    """The same database as the product is to use it: with fewer rights, where we have made the roles."""


def in_database(services: Services, name: str) -> Services:
    """The same server's database of this name."""
    urls = (services.database, services.application)
    database, application = (urlsplit(url)._replace(path=f"/{name}").geturl() for url in urls)
    return replace(services, database=database, application=application)


@contextmanager
def local_services(directory: Path, *, postgres_options: Mapping[str, str] | None = None) -> Iterator[Services]:
    """Services while the block runs, with PostgreSQL's data kept in `directory` from one time to the next.

    Raises ServiceError. Call it from the main thread: the servers end when the thread that started them does.
    """
    directory.mkdir(parents=True, exist_ok=True)
    database, redis = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
    application = database or ""
    servers: dict[str, Server] = {}
    with ExitStack() as stack:
        if not database:
            options = {**POSTGRES_OPTIONS, **(postgres_options or {})}
            servers["postgres"] = stack.enter_context(postgres_server(directory, options))
            database, application = servers["postgres"].url, servers["postgres"].application
        if not redis:
            servers["redis"] = stack.enter_context(redis_server(directory))
            redis = servers["redis"].url
        yield Services(database, redis, servers, application)


@contextmanager
def throwaway_services() -> Iterator[Services]:
    """Services for a test run: fast, not durable, in a temporary folder that is removed in the end."""
    directory = Path(tempfile.mkdtemp(prefix="payouts-"))
    directory.chmod(0o711)  # root's PostgreSQL runs as another user, who passes through
    try:
        with local_services(directory, postgres_options=NOT_DURABLE) as services:
            yield services
    finally:
        shutil.rmtree((directory / "postgres").resolve(), ignore_errors=True)
        shutil.rmtree(directory, ignore_errors=True)


def main(arguments: Sequence[str]) -> int:
    """Runs the command on throwaway services, with settings like production's."""
    command = arguments[1:] if arguments[:1] == ["--"] else arguments
    if not command:
        print("Usage: python -m backoffice.local.services -- COMMAND [ARGUMENT…]", file=sys.stderr)
        return 2
    try:
        with throwaway_services() as services:
            settings = {
                **dict.fromkeys(SETTINGS, ""),
                **new_secrets(),
                "DATABASE_URL": services.database,
                "REDIS_URL": services.redis,
                "DJANGO_DEBUG": "off",
                "DJANGO_ALLOWED_HOSTS": "payouts.example.com",
                "TRUSTED_PROXIES": "1",
                "DJANGO_CSRF_TRUSTED_ORIGINS": "https://payouts.example.com",
                "PROVIDER_URL": "https://provider.example.com",
            }
            return subprocess.run(command, env=os.environ | settings, check=False).returncode
    except ServiceError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
