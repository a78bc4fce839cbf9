"""Services for the run, a database and a cache for each worker of it, and the seed of a run that failed.

`make test` has workers side by side (pytest-xdist). The process that starts them starts the services, which the
workers share; `-n0` is one process for everything.
"""

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import django
import pytest
import pytest_django

from backoffice.environment import SETTINGS
from backoffice.local.secrets import new_secrets
from backoffice.local.services import throwaway_services
from backoffice.local.standby import data_folder
from tests import OWNER_URL, SERVER_DATA

REDIS_DATABASES = 16
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")

_stack = ExitStack()
if "PYTEST_XDIST_WORKER" not in os.environ:
    _services = _stack.enter_context(throwaway_services())
    os.environ |= {
        **dict.fromkeys(SETTINGS, ""),  # a developer's .env, or `make run` beside the tests, changes none of them
        **new_secrets(),
        "DATABASE_URL": _services.application,
        OWNER_URL: _services.database,
        SERVER_DATA: data_folder(_services),
        "REDIS_URL": _services.redis,
        "DJANGO_SETTINGS_MODULE": "backoffice.settings",
        "DJANGO_DEBUG": "on",
        "DJANGO_ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
        "LOG_LEVEL": "WARNING",
        "LOG_FORMAT": "console",
        "PROVIDER_URL": "http://127.0.0.1:9",
        "API_THROTTLE": "off",
        "REVEALS_A_MINUTE": "1000000",
        "REVEALS_A_DAY": "1000000",
    }

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth.hashers import Argon2PasswordHasher  # noqa: E402

from tests.databases import RUN, Database, own_database  # noqa: E402
from tests.standby import follower, second_database, server_data, standby  # noqa: E402, F401

# Not a fifth of a second, which is for requests that people wait for: no test fails for a machine that is busy.
settings.CACHES["default"]["OPTIONS"] |= {"SOCKET_CONNECT_TIMEOUT": 20, "SOCKET_TIMEOUT": 20}
# Nothing is collected for the tests, and a server that one of them starts may be collecting meanwhile.
settings.STATIC_ROOT = settings.BASE_DIR / "var" / "static-of-tests"
# The same hasher, which need not be slow to those who guess here.
Argon2PasswordHasher.time_cost, Argon2PasswordHasher.memory_cost, Argon2PasswordHasher.parallelism = 1, 1_024, 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    return min(os.process_cpu_count() or 1, REDIS_DATABASES)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(specs: Sequence[Any]) -> None:
    """Workers have our environment, but for Redis: each has a database of its own, which its tests empty."""
    if len(specs) > REDIS_DATABASES:
        raise pytest.UsageError(f"There can be {REDIS_DATABASES} workers, as many as Redis has databases.")
    for number, spec in enumerate(specs):
        own = urlsplit(os.environ["REDIS_URL"])._replace(path=f"/{number}")
        spec.env["REDIS_URL"] = own.geturl()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, or in the end one worker would wait for it alone."""
    items.sort(key=lambda item: item.get_closest_marker("takes_long") is None)


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    """The workers, which coverage measures too, have been started. The programs that tests start are not measured."""
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> Generator[None]:
    """Last, how to run a failed run again: its head, which has the seed, is far away by now."""
    yield
    seed = config.getoption("randomly_seed", None)
    if seed is not None and {"failed", "error"} & terminalreporter.stats.keys():
        terminalreporter.write_line(f'In this order again: make test ARGS="--randomly-seed={seed}"')


def pytest_unconfigure() -> None:
    _stack.close()


@pytest.fixture(scope="session")
def database(
    request: pytest.FixtureRequest,
    django_test_environment: None,
    django_db_blocker: pytest_django.DjangoDbBlocker,
) -> Iterator[Database]:
    run = getattr(request.config, "workerinput", {}).get("testrunuid", RUN)
    server = os.environ[OWNER_URL]
    with django_db_blocker.unblock(), own_database(server, WORKER, run) as made, django_db_blocker.block():
        yield made


@pytest.fixture(scope="session")
def django_db_setup(database: Database) -> Iterator[None]:
    """In place of pytest-django's. What a test with threads has committed is undone by the database's rows."""
    from django.test import TransactionTestCase

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda self: database.put_back())
        yield


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    from django.core.cache import cache

    cache.clear()


@pytest.fixture(autouse=True)
def _configuration_is_read_anew() -> Iterator[None]:
    """A test rolls its own back, and the rows of a module are made before its first test: both sides of each."""
    from payouts.models import sealed_sets

    sealed_sets.forget()
    yield
    sealed_sets.forget()


@pytest.fixture(autouse=True)
def _no_language_is_left_by_the_test_before() -> None:
    """A request leaves its language to its thread."""
    from django.utils import translation

    translation.deactivate()
