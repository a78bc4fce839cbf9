"""Rules between settings, each with a setting that breaks it."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from payouts import checks
from payouts.checks import check_server, check_settings

OIDC = {"OIDC_ISSUER": "https://login.example.com", "OIDC_CLIENT_ID": "payouts", "OIDC_CLIENT_SECRET": "secret"}


def account(**values: str) -> dict[str, Any]:
    return {"PROVIDERS": {"main": "http"}, "PROVIDER_VALUES": {"main": values}}


def test_the_settings_of_the_tests_contradict_nothing(settings: Any) -> None:
    settings.SECOND_FACTOR = settings.DUAL_CONTROL = True

    assert check_settings() == []


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        ({"API_ANONYMOUS_CLIENT": "shop", "DEBUG": False}, ["payouts.E001"]),
        ({"API_ANONYMOUS_CLIENT": "shop", "DEBUG": True}, []),
        ({"FIELD_ENCRYPTION_KEYS": ["short"]}, ["payouts.E002"]),
        ({"FIELD_ENCRYPTION_KEYS": [""]}, ["payouts.E002"]),
        ({"EVENT_HMAC_KEYS": ["x" * 31]}, ["payouts.E003"]),
        ({"EVENT_HMAC_KEYS": ["x" * 32, "x" * 31]}, ["payouts.E003"]),
        ({"EVENT_HMAC_KEYS": ["x" * 32]}, []),
        ({"EVENT_HMAC_KEYS_RETIRED": ["x" * 31]}, ["payouts.E003"]),
        ({"INDEX_KEY": "x" * 31}, ["payouts.E019"]),
        ({"Q_TIMEOUT_SECONDS": 39}, ["payouts.E004"]),
        ({"Q_TIMEOUT_SECONDS": 40}, []),
        ({"LEASE_SECONDS": 64}, ["payouts.W005"]),
        ({"LEASE_SECONDS": 65}, []),
        ({"LEASE_SECONDS": 34}, ["payouts.W005", "payouts.E014"]),
        ({"Q_RETRY_SECONDS": 239}, ["payouts.W006"]),
        ({"STALL_SECONDS": 49}, ["payouts.W007"]),
        ({"PROVIDER_KEY_TTL_SECONDS": 120}, ["payouts.W008"]),
        ({"PROVIDER_URL": "ftp://provider.test"}, ["payouts.E009"]),
        ({"PROVIDER_CONCURRENCY": 0}, ["payouts.E010"]),
        ({"Q_WORKERS": 0}, ["payouts.E010"]),
        ({"MAX_ATTEMPT_CALLS": 0}, ["payouts.E010"]),
        ({"SWEEP_SECONDS": 0}, ["payouts.E010"]),
        ({"REPLICA_LAG_SECONDS": 0}, ["payouts.E062"]),
        ({"REPLICA_LAG_SECONDS": 301}, ["payouts.E062"]),
        ({"DATABASE_REPLICA_URL": "postgres://payouts_app:word@standby.example.com/payouts"}, []),
        ({"API_THROTTLE": "600"}, ["payouts.E011"]),
        ({"API_THROTTLE": "0/m"}, ["payouts.E011"]),
        ({"API_THROTTLE": "600/m"}, []),
        ({"PROVIDER_TOKEN": ""}, ["payouts.E012"]),
        ({"PROVIDER_TOKEN": "", "PROVIDER_URL": ""}, []),
        ({"API_THROTTLE": "often"}, ["payouts.E011"]),
        ({"TRUSTED_PROXIES": -1}, ["payouts.E016"]),
        ({"REVEALS_A_DAY": 0}, ["payouts.E040"]),
        ({"TRUSTED_PROXIES": 0, "SECURE_SSL_REDIRECT": True}, ["payouts.W030"]),
        ({"TRUSTED_PROXIES": 1, "SECURE_SSL_REDIRECT": True}, []),
        ({"ACCESS_LOG_RETENTION_DAYS": -1}, ["payouts.E029"]),
        ({"SESSION_IDLE_SECONDS": 59}, ["payouts.E017"]),
        ({"SESSION_IDLE_SECONDS": 43_201}, ["payouts.E017"]),
        ({"SECOND_FACTOR": False, "DEBUG": False}, ["payouts.W018"]),
        (OIDC, []),
        (OIDC | {"OIDC_ISSUER": "http://login.example.com", "DEBUG": False}, ["payouts.E031"]),
        (OIDC | {"OIDC_CLIENT_SECRET": ""}, ["payouts.E032"]),
        (OIDC | {"OIDC_SCOPES": ["email"]}, ["payouts.E033"]),
        (OIDC | {"OIDC_RECHECK_SECONDS": 5}, ["payouts.E034"]),
        (OIDC | {"OIDC_RULES_GROUPS": True}, ["payouts.W035"]),
        (OIDC | {"OIDC_PASSWORDS": True, "DEBUG": False}, ["payouts.W036"]),
        ({"SECOND_FACTOR": False, "DEBUG": True}, []),
        ({"DUAL_CONTROL": False, "DEBUG": False}, ["payouts.W022"]),
        ({"DUAL_CONTROL": False, "DEBUG": True}, []),
        ({"RELEASE_DELAY_SECONDS": -1}, ["payouts.E015"]),
        ({"RELEASE_DELAY_SECONDS": 86_401}, ["payouts.E015"]),
        ({"PROVIDER_WEBHOOK_SECRET": "whsec_"}, ["payouts.E013"]),
        ({"PROVIDER_WEBHOOK_SECRET": "whsec_a"}, ["payouts.E013"]),
        ({"PROVIDER_WEBHOOK_SECRET": "changeme"}, ["payouts.E013"]),
        ({"PROVIDER_WEBHOOK_SECRET": "whsec_" + "!" * 32}, ["payouts.E013"]),
        ({"PROVIDER_WEBHOOK_SECRET": "whsec_" + "A" * 28}, ["payouts.E013"]),
        ({"PROVIDER_WEBHOOK_SECRET": "whsec_" + "A" * 32}, []),
        ({"PROVIDER_WEBHOOK_SECRET": "whsec_" + "A" * 32 + ", whsec_" + "B" * 32}, []),
        ({"PROVIDER_WEBHOOK_SECRET": "whsec_" + "A" * 32 + ",changeme"}, ["payouts.E013"]),
        ({"PROVIDER_WEBHOOK_SECRET": "whsec_" + "A" * 32 + ","}, ["payouts.E013"]),
        ({"PROVIDER_WEBHOOK_SECRET": ""}, []),
        ({"PROVIDERS": {"main": "http"}}, []),  # the web has no secrets to pay with
        ({"PROVIDERS": {"main": "nobodys"}}, ["payouts.E041"]),
        (account(URL="https://main.test", TOKEN="t"), []),
        (account(URL="https://main.test", TOKEN="t", ULR="https://main.test"), ["payouts.E042"]),
        (account(URL="https://main.test"), ["payouts.E043"]),
        (account(WEBHOOK_SECRET="whsec_" + "A" * 32), []),
        ({"INSTALLATION": "x" * 65}, ["payouts.E020"]),
        ({"BACKUP_RETENTION_DAYS": -1}, ["payouts.E060"]),
        ({"BACKUP_RECIPIENTS": ["AGE-SECRET-KEY-1"]}, ["payouts.E061"]),
        ({"INSTALLATION": "x" * 64}, []),
        ({"Q_BROKER": "redis", "Q_REDIS_URL": ""}, ["payouts.W090"]),
        ({"Q_BROKER": "redis", "Q_REDIS_URL": "redis://queue.test/1"}, []),
    ],
)
def test_settings_that_contradict_each_other_stop_the_start(
    given: dict[str, Any], ids: list[str], settings: Any
) -> None:
    settings.SECOND_FACTOR = settings.DUAL_CONTROL = True
    for name, value in given.items():
        setattr(settings, name, value)

    assert [error.id for error in check_settings()] == ids


@pytest.mark.django_db
def test_a_server_that_may_forget_stops_a_migration_in_production(settings: Any) -> None:
    """That of the tests may: it is fast."""
    assert check_server(databases=["default"]) == []

    settings.NEEDS_DURABLE_SERVER = True

    assert [error.id for error in check_server(databases=["default"])] == ["payouts.E021"]
    assert check_server() == []


def test_a_standby_that_is_the_primary_stops_the_start(settings: Any) -> None:
    settings.SECOND_FACTOR = settings.DUAL_CONTROL = True
    primary = connection.settings_dict
    server = f"postgres://another:word@{primary['HOST']}:{primary['PORT']}"
    settings.DATABASE_REPLICA_URL = f"{server}/{primary['NAME']}"

    assert [error.id for error in check_settings()] == ["payouts.E063"]

    settings.DATABASE_REPLICA_URL = f"{server}/payouts_standby"  # of one PgBouncer, which has both

    assert check_settings() == []


def test_every_check_has_a_test() -> None:
    numbers = re.findall(r"refuse\(\s*(\d+)", Path(checks.__file__).read_text(encoding="utf-8"))

    assert numbers
    for number in numbers:
        assert f'"payouts.E{int(number):03}"' in Path(__file__).read_text(encoding="utf-8")
