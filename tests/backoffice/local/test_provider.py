"""The sandbox as `make run` starts it."""

import json
from decimal import Decimal

import pytest

from backoffice.environment import SettingError
from backoffice.local.provider import KINDS, OURS, played
from payouts.providers import payable, registry

SECRETS = {"PROVIDER_TOKEN": "a token"}


def test_it_is_our_own_protocol_unless_said(monkeypatch):
    monkeypatch.delenv("PROVIDER", raising=False)

    sandbox = played(SECRETS, port=9100, web_port="8123")

    assert sandbox.settings == {"PROVIDER_URL": "http://127.0.0.1:9100", "PROVIDER_ACCOUNT": "sandbox"}
    assert sandbox.environment == {"SANDBOX_WEBHOOK_URL": "http://127.0.0.1:8123/api/webhooks/provider/"}


def test_yookassas_gateway_is_an_account_with_the_sandboxs_secret(monkeypatch):
    monkeypatch.setenv("PROVIDER", "yookassa")

    sandbox = played(SECRETS, port=9100, web_port="8123")

    assert sandbox.settings["PROVIDERS"] == "main=yookassa"
    assert sandbox.settings["PROVIDER_MAIN_API_URL"] == "http://127.0.0.1:9100/v3"
    assert sandbox.settings["PROVIDER_MAIN_SECRET"] == sandbox.environment["SANDBOX_SECRET"] == "a token"
    assert sandbox.environment["SANDBOX_NOTIFICATION_URL"] == "http://127.0.0.1:8123/api/webhooks/main/"


def test_paypals_account_has_the_sandboxs_secret_and_webhook(monkeypatch):
    monkeypatch.setenv("PROVIDER", "paypal")

    sandbox = played(SECRETS, port=9100, web_port="8123")

    assert sandbox.settings["PROVIDERS"] == "main=paypal"
    assert sandbox.settings["PROVIDER_MAIN_API_URL"] == "http://127.0.0.1:9100"
    assert sandbox.settings["PROVIDER_MAIN_SECRET"] == sandbox.environment["SANDBOX_PAYPAL_SECRET"] == "a token"
    for name in ("CLIENT_ID", "WEBHOOK_ID"):
        assert sandbox.settings[f"PROVIDER_MAIN_{name}"] == sandbox.environment[f"SANDBOX_PAYPAL_{name}"]
    assert sandbox.environment["SANDBOX_PAYPAL_WEBHOOK_URL"] == "http://127.0.0.1:8123/api/webhooks/main/"


@pytest.mark.parametrize("kind", KINDS)
def test_its_account_can_pay_the_example(monkeypatch, settings, kind):
    monkeypatch.setenv("PROVIDER", kind)
    sandbox = played(SECRETS, port=9100, web_port="8123")
    settings.PROVIDER_URL = sandbox.settings.get("PROVIDER_URL", "")
    settings.PROVIDERS = {"main": kind} if kind != OURS else {}
    its = {name.removeprefix("PROVIDER_MAIN_"): value for name, value in sandbox.settings.items()}
    settings.PROVIDER_VALUES = {"main": its}
    example = json.loads(f"{{{sandbox.example}}}")

    payment = {"currency": example["currency"], "recipient": example["recipient_details"]}

    assert payable.obstacle(registry.default(), amount=Decimal("100.50"), **payment) is None


def test_every_provider_that_there_is_can_be_played():
    assert set(KINDS) == registry.KINDS.keys()


def test_another_is_refused_with_a_sentence(monkeypatch):
    monkeypatch.setenv("PROVIDER", "nobodys")

    with pytest.raises(SettingError, match=r"^PROVIDER must be http or yookassa or paypal, .* and is nobodys"):
        played(SECRETS, port=9100, web_port="8123")
