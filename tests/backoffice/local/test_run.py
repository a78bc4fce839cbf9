"""What `make run` decides before it starts anything."""

import socket

import pytest

from backoffice.local import run
from backoffice.local.run import RunError
from backoffice.local.secrets import new_secrets


@pytest.fixture(autouse=True)
def var(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "VAR", tmp_path)
    monkeypatch.setattr(run, "RUN_ENV", tmp_path / "run.env")
    for name in (*run.SETTINGS, *new_secrets()):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_secrets_are_made_once_and_private(var):
    first, second = run._settings(8000), run._settings(8000)

    assert first == second
    assert first.keys() >= new_secrets().keys()
    assert (var / "secrets.env").stat().st_mode & 0o777 == 0o600


def test_a_secret_that_is_new_joins_those_that_are_kept(var):
    (var / "secrets.env").write_text("EVENT_HMAC_KEY=kept=\n")

    settings = run._settings(8000)

    assert settings["EVENT_HMAC_KEY"] == "kept="
    assert settings["DJANGO_SECRET_KEY"]


def test_settings_of_the_environment_win_and_empty_ones_do_not(monkeypatch):
    monkeypatch.setenv("LEASE_SECONDS", "5")
    monkeypatch.setenv("EVENT_HMAC_KEY", "mine")
    monkeypatch.setenv("DJANGO_SECRET_KEY", "")

    settings = run._settings(8000)

    assert (settings["LEASE_SECONDS"], settings["EVENT_HMAC_KEY"]) == ("5", "mine")
    assert settings["DJANGO_SECRET_KEY"]


def test_the_sandboxs_secrets_are_not_sent_to_another_provider(monkeypatch):
    monkeypatch.setenv("PROVIDER_URL", "https://provider.example.com")

    settings = run._settings(8000)

    assert "PROVIDER_TOKEN" not in settings
    assert "PROVIDER_WEBHOOK_SECRET" not in settings


def test_requests_without_a_key_are_the_demo_clients_only_in_debug(monkeypatch):
    debug = run._settings(8000)
    monkeypatch.setenv("DJANGO_DEBUG", "off")
    production = run._settings(8000)

    assert debug["API_ANONYMOUS_CLIENT"] == "demo"
    assert "API_ANONYMOUS_CLIENT" not in production


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
