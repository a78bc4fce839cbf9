"""What `make run` decides before it starts anything."""

import json
import os
import shlex
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import psycopg
import pytest

from backoffice.environment import SETTINGS
from backoffice.local import ROOT, run
from backoffice.local.children import Children, RunError
from backoffice.local.console import Console
from backoffice.local.services import Services
from tests import OWNER_URL

SERVER = os.environ[OWNER_URL]
ON_DISK = [file.stem for file in (ROOT / "payouts" / "migrations").glob("0*.py")]

# A value for each setting that it does not have by default, nor under `make run`.
SET = {
    "DJANGO_SECRET_KEY": "a key of ours, with $igns and 'quotes'",
    "DATABASE_URL": "postgres://payouts:word@db.example.com:5432/payouts",
    "DATABASE_POOLER": "transaction",
    "DATABASE_REPLICA_URL": "postgres://payouts:word@standby.example.com:5432/payouts",
    "REPLICA_LAG_SECONDS": "5",
    "FIELD_ENCRYPTION_KEYS": "one=,two=",
    "EVENT_HMAC_KEYS": "0123456789abcdef0123456789abcdef,fedcba9876543210fedcba9876543210",
    "EVENT_HMAC_KEYS_RETIRED": "an old key that has thirty-two characters",
    "INDEX_KEY": "another key that has thirty-two characters",
    "DJANGO_SECRET_KEY_FALLBACKS": "older,oldest",
    "DJANGO_DEBUG": "off",
    "DJANGO_ALLOWED_HOSTS": "payouts.example.com",
    "DJANGO_CSRF_TRUSTED_ORIGINS": "https://payouts.example.com",
    "CHECKPOINTS": "s3://anchors/production",
    "CHECKPOINT_RETENTION_DAYS": "30",
    "BACKUPS": "s3://backups/production",
    "BACKUP_RECIPIENTS": "age1u6se82srjqnyrspgxy9zyr8zsumgt0j6lfrfg8qmq0ffksmc05rq5tkmyl",
    "BACKUP_RETENTION_DAYS": "60",
    "BACKUP_IDENTITY": "AGE-SECRET-KEY-1",
    "BACKUP_IDENTITY_FILE": "/run/secrets/identity",
    "RESTORE_DATABASE_URL": "postgres://payouts:word@scratch.example.com:5432/postgres",
    "ACCESS_LOG_RETENTION_DAYS": "200",
    "ERASURE_AFTER_DAYS": "1825",
    "FILES_RETENTION_DAYS": "90",
    "PORT": "8123",
    "WEB_CONCURRENCY": "3",
    "WEB_THREADS": "8",
    "REDIS_URL": "redis://cache.example.com/1",
    "LOG_LEVEL": "DEBUG",
    "LOG_FORMAT": "json",
    "BUILD": "0123456789abcdef",
    "SENTRY_DSN": "https://key@sentry.example.com/1",
    "SENTRY_ENVIRONMENT": "production",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example.com:4318",
    "PROVIDER_URL": "https://provider.example.com",
    "PROVIDER_TOKEN": "#token",
    "PROVIDER_ACCOUNT": "main",
    "PROVIDER_WEBHOOK_SECRET": "whsec_c2VjcmV0",
    "PROVIDERS": "main=http",
    "PROVIDER_TIMEOUT_SECONDS": "12.5",
    "PROVIDER_KEY_TTL_SECONDS": "3600",
    "PROVIDER_CONCURRENCY": "4",
    "MAX_ATTEMPT_CALLS": "7",
    "RELEASE_DELAY_SECONDS": "60",
    "DUAL_CONTROL": "on",
    "SECOND_FACTOR": "on",
    "SECOND_FACTOR_ISSUER": "Payouts of ours",
    "PASSKEY_DOMAIN": "example.com",
    "SESSION_IDLE_SECONDS": "600",
    "TRUSTED_PROXIES": "2",
    "OIDC_ISSUER": "https://login.example.com/realms/staff",
    "OIDC_CLIENT_ID": "payouts",
    "OIDC_CLIENT_SECRET": "a secret of $ours",
    "OIDC_SCOPES": "openid,offline_access",
    "OIDC_RECHECK_SECONDS": "90",
    "OIDC_SECOND_FACTOR": "mfa,phr",
    "OIDC_PASSWORDS": "on",
    "OIDC_GROUPS": "staff-approvers=Approver",
    "OIDC_GROUPS_CLAIM": "roles",
    "OIDC_RULES_GROUPS": "on",
    "INSTALLATION": "payouts-of-ours",
    "LEASE_SECONDS": "90",
    "SWEEP_SECONDS": "5",
    "STALL_SECONDS": "50",
    "Q_BROKER": "redis",
    "Q_REDIS_URL": "redis://queue.example.com/2",
    "Q_WORKERS": "3",
    "Q_TIMEOUT_SECONDS": "45",
    "Q_RETRY_SECONDS": "500",
    "CLUSTER_ALIVE_FILE": "/run/payouts/alive",
    "API_ANONYMOUS_CLIENT": "shop",
    "API_THROTTLE": "10/s",
    "REVEALS_A_MINUTE": "5",
    "REVEALS_A_DAY": "50",
    "API_DOCS": "off",
    "FIGURES_FOR_EVERYBODY": "on",
    "METRICS_PORT": "9200",
    "WEB_METRICS_PORT": "9201",
}
TELL = "import json, os; print(json.dumps(dict(os.environ)), flush=True)"


@pytest.fixture(autouse=True)
def var(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "VAR", tmp_path)
    monkeypatch.setattr(run, "RUN_ENV", tmp_path / "run.env")
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_settings_of_the_environment_win_and_empty_ones_do_not(monkeypatch):
    monkeypatch.setenv("LEASE_SECONDS", "5")
    monkeypatch.setenv("EVENT_HMAC_KEYS", "mine")
    monkeypatch.setenv("DJANGO_SECRET_KEY", "")

    settings = run._settings(8000)

    assert (settings["LEASE_SECONDS"], settings["EVENT_HMAC_KEYS"]) == ("5", "mine")
    assert settings["DJANGO_SECRET_KEY"]


def test_the_sealing_key_by_the_name_of_before_reaches_what_run_starts(monkeypatch):
    monkeypatch.setenv("EVENT_HMAC_KEY", "mine")

    settings = run._settings(8000)

    assert (settings["EVENT_HMAC_KEY"], settings["EVENT_HMAC_KEYS"], settings["INDEX_KEY"]) == ("mine", "", "mine")


@pytest.mark.parametrize("name", SETTINGS)
def test_each_setting_of_the_list_reaches_what_run_starts_and_manage_py_beside_it(name, monkeypatch):
    monkeypatch.setenv(name, SET[name])

    settings = run._settings(8123)

    assert settings[name] == SET[name]


def test_the_web_server_and_the_cluster_get_every_setting_that_is_set(monkeypatch):
    for name, value in SET.items():
        monkeypatch.setenv(name, value)
    console = Console(colourful=False)
    children = Children(console)

    children.start("web", [sys.executable, "-c", TELL], run._settings(8123))
    with children.running["web"].output:
        children.running["web"].process.wait()
        children.show_logs()

    environment = json.loads(console.held[0].partition("|")[2])
    assert {name: environment.get(name) for name in SET} == SET


def test_manage_py_in_another_terminal_has_every_setting_that_is_set(var, monkeypatch):
    for name, value in SET.items():
        monkeypatch.setenv(name, value)

    run._tell_manage_py(run._settings(8123))

    tell = f"import environ; environ.Env.read_env({str(var / 'run.env')!r}); {TELL}"
    without = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    answer = subprocess.run([sys.executable, "-c", tell], env=without, capture_output=True, text=True, check=True)
    environment = json.loads(answer.stdout)
    assert {name: environment.get(name) for name in SET} == SET
    assert (var / "run.env").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "text"), [("DJANGO_DEBUG", "maybe"), ("LEASE_SECONDS", "2m"), ("PROVIDER_TIMEOUT_SECONDS", "nan")]
)
def test_a_setting_that_means_nothing_stops_run_with_a_sentence(name, text, monkeypatch):
    monkeypatch.setenv(name, text)

    with pytest.raises(RunError, match=f"^{name} must be .*, and is {text}"):
        run._settings(8000)


def test_the_sandboxs_secrets_are_not_sent_to_another_provider(monkeypatch):
    monkeypatch.setenv("PROVIDER_URL", "https://provider.example.com")

    settings = run._settings(8000)

    assert "PROVIDER_TOKEN" not in settings
    assert "PROVIDER_WEBHOOK_SECRET" not in settings


def test_requests_without_a_key_are_the_demo_clients_only_in_debug(monkeypatch):
    debug = run._settings(8000)
    monkeypatch.setenv("DJANGO_DEBUG", "off")
    production = run._settings(8000)
    monkeypatch.setenv("DJANGO_DEBUG", "on")
    monkeypatch.setenv("API_ANONYMOUS_CLIENT", "")
    refused = run._settings(8000)

    assert debug["API_ANONYMOUS_CLIENT"] == "demo"
    assert "API_ANONYMOUS_CLIENT" not in production
    assert "API_ANONYMOUS_CLIENT" not in refused


def test_a_second_run_of_the_clone_is_refused_with_the_address_of_the_first():
    with run._only_run(8123), pytest.raises(RunError, match=r"http://127\.0\.0\.1:8123/"), run._only_run(8000):
        pass


def test_a_port_that_is_taken_is_refused_with_a_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RunError, match=f"Port {port} cannot be used"):
            run._await_port(port)


@pytest.mark.parametrize("text", ["", "0", "65536", "http", "-1", "8000.5"])
def test_a_port_that_is_no_port_is_refused(text):
    with pytest.raises(RunError, match="PORT must be a number"):
        run._port(text)


@pytest.fixture
def database():
    """The URL of a new, empty database."""
    name = f"older_{os.getpid()}"
    url = urlsplit(SERVER)._replace(path=f"/{name}").geturl()
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield url
        connection.execute(f"DROP DATABASE {name}")


def migrated(url, *names):
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE django_migrations (app text, name text)")
        for name in names:
            connection.execute(
                "INSERT INTO django_migrations VALUES ('payouts', %s), ('auth', '0012_of_django')", [name]
            )


def test_data_of_another_version_is_refused_with_a_sentence_that_says_what_to_do(database, var):
    migrated(database, *ON_DISK, "0002_of_another_version")
    home = var / "elsewhere of ours"
    home.mkdir()
    (var / "postgres").symlink_to(home)

    with pytest.raises(RunError, match="made by another version of the product") as refusal:
        run._refuse_another_versions_data(Services(database, "", {"postgres": None}, database))

    assert f"run rm -rf '{home}' {shlex.quote(f'{var}/sandbox.sqlite3')}* and then make run again." in str(
        refusal.value
    )


def test_a_given_database_of_another_version_is_not_called_ours(database):
    migrated(database, "0002_of_another_version")

    with pytest.raises(RunError, match="The database of DATABASE_URL was made by another version"):
        run._refuse_another_versions_data(Services(database, "", {}, database))


def test_data_of_this_version_of_a_later_one_and_no_data_are_used(database):
    run._refuse_another_versions_data(Services(database, "", {}, database))
    migrated(database, *ON_DISK, "9000_of_a_later_version")
    run._refuse_another_versions_data(Services(database, "", {}, database))


def test_a_database_that_does_not_answer_stops_run_with_a_sentence():
    nowhere = "postgres://payouts:word@127.0.0.1:9/payouts"

    with pytest.raises(RunError, match="The database does not answer: "):
        run._refuse_another_versions_data(Services(nowhere, "", {}, nowhere))
