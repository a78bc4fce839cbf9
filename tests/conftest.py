"""Services for the run, and the people and clients that tests speak of."""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import django
import pytest

from backoffice.environment import SETTINGS
from backoffice.local.secrets import new_secrets
from backoffice.local.services import throwaway_services

_stack = ExitStack()
_services = _stack.enter_context(throwaway_services())
os.environ |= {
    **dict.fromkeys(SETTINGS, ""),  # a developer's .env, or `make run` beside the tests, changes none of them
    **new_secrets(),
    "DATABASE_URL": _services.database,
    "REDIS_URL": _services.redis,
    "DJANGO_SETTINGS_MODULE": "backoffice.settings",
    "DJANGO_DEBUG": "on",
    "DJANGO_ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
    "LOG_LEVEL": "WARNING",
    "LOG_FORMAT": "console",
    "PROVIDER_URL": "http://127.0.0.1:9",
    "API_THROTTLE": "off",
}

django.setup()


def pytest_unconfigure() -> None:
    _stack.close()


@pytest.fixture(scope="session", autouse=True)
def _flush_past_the_guards() -> Iterator[None]:
    """Tests with threads empty the tables afterwards, which the append-only triggers would refuse.

    The default approval bands and review rules stay: they come from a migration, not from a test.
    """
    from django.db.backends.postgresql.operations import DatabaseOperations

    guards = {
        "payouts_event": "event_append_only",
        "payouts_approval": "approval_append_only",
        "payouts_payout": "payout_never_deleted",
        "payouts_attempt": "attempt_never_deleted",
    }
    stock = DatabaseOperations.sql_flush
    # Their history, which migrations began, is emptied with the people it names, and begun again.
    begun = [
        "INSERT INTO payouts_historicalapprovalband"
        " (id, currency, from_amount, approvals_required, history_date, history_type)"
        " SELECT id, currency, from_amount, approvals_required, now(), '+' FROM payouts_approvalband",
        "INSERT INTO payouts_historicalreviewrule (flag, effect, history_date, history_type)"
        " SELECT flag, effect, now(), '+' FROM payouts_reviewrule",
    ]

    def sql_flush(self, style, tables, **options):  # type: ignore[no-untyped-def]
        kept = [table for table in tables if table not in ("payouts_approvalband", "payouts_reviewrule")]
        return [
            *(f"ALTER TABLE {table} DISABLE TRIGGER {guard}" for table, guard in guards.items()),
            *stock(self, style, kept, **options),
            *(f"ALTER TABLE {table} ENABLE TRIGGER {guard}" for table, guard in guards.items()),
            *begun,
        ]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", sql_flush)
        yield


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    from django.core.cache import cache

    cache.clear()


@pytest.fixture(autouse=True)
def _no_language_is_left_by_the_test_before() -> None:
    """A request leaves its language to its thread."""
    from django.utils import translation

    translation.deactivate()
