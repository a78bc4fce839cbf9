"""The one list of settings: how each is read, and that nothing else names another."""

import os
import re
import subprocess
import sys
import tomllib

import pytest

from backoffice.environment import SETTINGS, SettingError, account_values, read
from backoffice.kinds import NO_ACCOUNTS
from backoffice.local import ROOT
from backoffice.local.secrets import new_secrets

# Read by the web server's command alone.
OF_COMMANDS = {"PORT", "WEB_CONCURRENCY", "WEB_THREADS", "WEB_METRICS_PORT"}
REQUIRED = {"DJANGO_SECRET_KEY", "DATABASE_URL", "FIELD_ENCRYPTION_KEYS", "EVENT_HMAC_KEYS", "INDEX_KEY"}
SECRET = REQUIRED | {
    "DJANGO_SECRET_KEY_FALLBACKS",
    "EVENT_HMAC_KEYS_RETIRED",
    "OIDC_CLIENT_SECRET",
    "REDIS_URL",
    "Q_REDIS_URL",
    "PROVIDER_TOKEN",
    "PROVIDER_WEBHOOK_SECRET",
    "SENTRY_DSN",
    "BACKUP_IDENTITY",
    "RESTORE_DATABASE_URL",
    "DATABASE_REPLICA_URL",
}
# Of the programs beside ours.
OF_OTHERS = {
    *("SANDBOX_WEBHOOK_URL", "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"),
    *("DATABASE_PASSWORD", "REDIS_PASSWORD"),
}


def test_settings_py_reads_each_setting_of_the_list_once_and_no_other():
    source = (ROOT / "backoffice" / "settings.py").read_text()

    assert sorted(re.findall(r'read\("(\w+)"\)', source)) == sorted(SETTINGS.keys() - OF_COMMANDS)


def test_required_and_secret_settings_are_marked():
    assert {setting.name for setting in SETTINGS.values() if setting.remedy} == REQUIRED
    assert {setting.name for setting in SETTINGS.values() if setting.is_secret} == SECRET
    assert new_secrets().keys() < SECRET


def test_deployments_name_settings_of_the_list_alone():
    compose = set(re.findall(r"\b([A-Z]+(?:_[A-Z]+)+):", (ROOT / "compose.yaml").read_text()))
    fly = tomllib.loads((ROOT / "fly.toml").read_text())["env"].keys()
    image = set(re.findall(r"\b([A-Z]+(?:_[A-Z]+)+)=build\b", (ROOT / "Dockerfile").read_text()))
    image |= {"DATABASE_URL"} & set(re.findall(r"\w+", (ROOT / "Dockerfile").read_text()))

    assert compose - OF_OTHERS < SETTINGS.keys()
    assert fly < SETTINGS.keys() - SECRET
    assert image == REQUIRED


def test_no_account_has_the_name_that_a_setting_of_ours_begins_with():
    begun = {name.split("_")[1].lower() for name in SETTINGS if name.startswith("PROVIDER_")}

    assert begun < set(NO_ACCOUNTS)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("DJANGO_DEBUG", "on", True),
        ("DJANGO_DEBUG", "True", True),
        ("DJANGO_DEBUG", "1", True),
        ("DJANGO_DEBUG", "OFF", False),
        ("DJANGO_DEBUG", "no", False),
        ("SECOND_FACTOR", "0", False),
        ("LEASE_SECONDS", "90", 90),
        ("PROVIDER_TIMEOUT_SECONDS", "12.5", 12.5),
        ("DJANGO_ALLOWED_HOSTS", "one.example.com, two.example.com,", ["one.example.com", "two.example.com"]),
        ("PROVIDER_TOKEN", "$a,b ", "$a,b "),
        ("OIDC_GROUPS", "cn=a=Approver, makers=Operator", {"cn=a": "Approver", "makers": "Operator"}),
    ],
)
def test_a_setting_is_read_as_its_kind(name, text, value, monkeypatch):
    monkeypatch.setenv(name, text)

    assert read(name) == value


def test_the_sealing_key_is_read_by_the_name_that_it_had_when_there_was_one(monkeypatch):
    monkeypatch.setenv("EVENT_HMAC_KEY", "one, with a comma")
    monkeypatch.setenv("EVENT_HMAC_KEYS", "")
    alone = read("EVENT_HMAC_KEYS")

    monkeypatch.setenv("EVENT_HMAC_KEYS", "new,old")

    assert alone == ["one, with a comma"]
    assert read("EVENT_HMAC_KEYS") == ["new", "old"]


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("DJANGO_DEBUG", False),
        ("SECOND_FACTOR", None),
        ("DUAL_CONTROL", None),
        ("Q_WORKERS", 2),
        ("API_THROTTLE", "600/m"),
        ("DJANGO_ALLOWED_HOSTS", []),
        ("REDIS_URL", ""),
        ("OIDC_GROUPS", {}),
    ],
)
def test_an_empty_setting_means_its_default(name, default, monkeypatch):
    for text in ("", " "):
        monkeypatch.setenv(name, text)
        assert read(name) == default
    monkeypatch.delenv(name)
    assert read(name) == default


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("DJANGO_DEBUG", "maybe", "DJANGO_DEBUG must be on or off, and is maybe."),
        ("Q_WORKERS", "two", "Q_WORKERS must be a whole number, and is two."),
        ("Q_WORKERS", "1.5", "Q_WORKERS must be a whole number, and is 1.5."),
        ("PROVIDER_TIMEOUT_SECONDS", "30s", "PROVIDER_TIMEOUT_SECONDS must be a number, and is 30s."),
        ("OIDC_GROUPS", "makers", "OIDC_GROUPS must be pairs such as theirs=Operator, and is makers."),
        ("OIDC_GROUPS", "a=b,a=c", "OIDC_GROUPS must be pairs such as theirs=Operator, and is a=b,a=c."),
        ("PROVIDER_TIMEOUT_SECONDS", "inf", "PROVIDER_TIMEOUT_SECONDS must be a number, and is inf."),
        *(
            (
                "PROVIDERS",
                text,
                "PROVIDERS must be pairs such as main=yookassa, no account of which is named http or provider or url "
                f"or token or account or webhook or timeout or key or concurrency, and is {text}.",
            )
            for text in ("main", "Main=http", "key=http", "provider=http", "ma_in=http", "main=http,main=http")
        ),
    ],
)
def test_a_setting_that_means_nothing_is_refused_with_a_sentence(name, text, sentence, monkeypatch):
    monkeypatch.setenv(name, text)

    with pytest.raises(SettingError) as refusal:
        read(name)

    assert str(refusal.value) == sentence


def test_an_account_has_the_settings_that_begin_with_its_name(monkeypatch, tmp_path):
    (tmp_path / "secret").write_text("from a file\n")
    monkeypatch.setenv("PROVIDER_MAIN_URL", " https://main.test ")
    monkeypatch.setenv("PROVIDER_MAIN_SECRET_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("PROVIDER_MAIN_ACCOUNT", "")
    monkeypatch.setenv("PROVIDER_MAIN2_URL", "https://another.test")

    values = account_values(["main", "eu"])

    assert values == {"main": {"URL": "https://main.test", "SECRET": "from a file"}, "eu": {}}


@pytest.mark.parametrize("order", [1, -1])
def test_a_secret_is_not_given_twice(monkeypatch, tmp_path, order):
    (tmp_path / "secret").write_text("from a file\n")
    given = {"PROVIDER_MAIN_SECRET": "old", "PROVIDER_MAIN_SECRET_FILE": str(tmp_path / "secret")}
    for name in list(given)[::order]:
        monkeypatch.setenv(name, given[name])

    with pytest.raises(SettingError, match=r"^PROVIDER_MAIN_SECRET and its _FILE are both given"):
        account_values(["main"])


def test_a_file_that_cannot_be_read_is_named_by_its_setting(monkeypatch, tmp_path):
    monkeypatch.setenv("PROVIDER_MAIN_SECRET_FILE", str(tmp_path / "gone"))

    with pytest.raises(SettingError, match=r"^PROVIDER_MAIN_SECRET_FILE names a file that cannot be read"):
        account_values(["main"])


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_a_required_setting_that_is_missing_stops_the_start_and_says_how_to_mend_it(name):
    answer = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=os.environ | {name: ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 1
    assert answer.stderr.startswith(f"{name} is not set: {SETTINGS[name].remedy}. ")
    assert len(answer.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["SECOND_FACTOR", "DUAL_CONTROL"])
@pytest.mark.parametrize(
    ("debug", "given", "is_on"),
    [("off", "", True), ("off", "off", False), ("on", "", False), ("on", "on", True)],
)
def test_what_takes_more_than_a_password_or_a_person_is_on_unless_debug_is_on_or_it_is_set(name, debug, given, is_on):
    answer = subprocess.run(
        [sys.executable, "-c", f"from backoffice import settings; print(settings.{name})"],
        cwd=ROOT,
        env=os.environ | {"DJANGO_DEBUG": debug, name: given},
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.strip() == str(is_on)
