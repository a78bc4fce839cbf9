"""What an account cannot pay is known by its declaration, in words, before anything is sent."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils.translation import override

from payouts.providers import RecipientKind, payable, registry

SBP = {"phone": "+79123456789", "bank_id": "100000000111", "name": "Иван Петров"}
CARD = {"card": "4111 1111 1111 1111"}


@pytest.fixture(autouse=True)
def _accounts(settings: Any) -> None:
    settings.PROVIDER_URL = "https://provider.test"
    settings.PROVIDERS = {"main": "yookassa", "cards": "yookassa"}
    settings.PROVIDER_VALUES = {"main": {}, "cards": {"CARD_NUMBERS": "on"}}


def said(account: str, recipient: dict[str, Any], amount: str = "100.50", currency: str = "RUB") -> str:
    found = payable.obstacle(account, recipient=recipient, amount=Decimal(amount), currency=currency)
    return f"{found.field}: {found.sentence}" if found else ""


@pytest.mark.parametrize(
    ("account", "recipient"),
    [
        ("main", SBP),
        ("main", {"wallet": "41001614575714"}),
        ("main", {"payout_token": "pt-1"}),
        ("cards", CARD),
        ("http", {"pigeon": "17"}),
        ("gone", {"pigeon": "17"}),
    ],
)
def test_what_the_account_declares_it_pays_and_whatever_comes_where_it_declares_nothing(
    account: str, recipient: dict[str, Any]
) -> None:
    assert said(account, recipient) == ""


@pytest.mark.parametrize(
    ("recipient", "field", "sentence"),
    [
        (CARD, "recipient_details", "cannot pay such a recipient. It pays by: sbp (phone, bank_id); card_token"),
        ({"iban": "DE89370400440532013000"}, "recipient_details", "The account main cannot pay such a recipient."),
        ({"phone": "+79123456789", "bank": "Т-Банк"}, "recipient_details", "main also needs: bank_id."),
        (SBP | {"bank_id": "T"}, "recipient_details", "cannot pay such a recipient."),
        (SBP | {"phone": {"number": "+79123456789"}}, "recipient_details", "cannot pay such a recipient."),
        (SBP | {"wallet": "41001614575714"}, "recipient_details", "cannot pay such a recipient."),
    ],
)
def test_a_recipient_that_it_could_send_nothing_to_is_told_in_a_sentence(
    recipient: dict[str, Any], field: str, sentence: str
) -> None:
    text = said("main", recipient)

    assert text.startswith(f"{field}: ")
    assert sentence in text


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("1.00", "RUB", ""),
        ("500000.00", "RUB", ""),
        ("0.99", "RUB", "amount: The account main pays at least 1.00\u00a0RUB to this recipient."),
        (
            "500000.01",
            "RUB",
            "amount: The account main pays at most 500,000.00\u00a0RUB at a time to this recipient.",
        ),
        ("100.00", "EUR", "currency: The account main does not pay in EUR."),
    ],
)
def test_the_currency_and_the_limits_are_those_of_the_way_to_be_paid(amount: str, currency: str, text: str) -> None:
    assert said("main", SBP, amount, currency) == text


def test_an_obstacle_that_was_kept_is_told_in_the_readers_language() -> None:
    found = payable.obstacle("main", recipient=SBP, amount=Decimal("500000.01"), currency="RUB")
    assert found is not None

    with override("ru"):
        assert "500\u00a0000,00\u00a0RUB" in payable.sentence(found.code, found.parameters)


def test_an_account_that_checks_names_pays_by_phone_to_whom_it_can_name(settings: Any) -> None:
    settings.PROVIDER_VALUES = {"main": {"CHECK_NAMES": "on"}}

    assert said("main", SBP) == ""
    assert "also needs: name." in said("main", SBP | {"name": ""})
    assert "It pays by: sbp (phone, bank_id, name);" in said("main", SBP | {"name": "Иван"})
    assert "also needs" not in said("main", CARD | {"name": "Иван Петров"})


def test_an_account_has_a_way_that_needs_a_setting_only_while_that_is_on() -> None:
    assert "card" not in [way.name for way in registry.recipients_of("main") or ()]
    assert "card" in [way.name for way in registry.recipients_of("cards") or ()]


def test_whoever_pays_whatever_comes_takes_every_field_and_declares_none(settings: Any) -> None:
    assert registry.takes_field("iban")
    assert not registry.declares_field("iban")
    assert registry.declares_field("wallet")

    settings.PROVIDER_URL = ""
    assert not registry.takes_field("iban")
    assert registry.takes_field("card")


def test_an_amount_with_decimals_where_the_account_takes_none_is_told_in_a_sentence(monkeypatch: Any) -> None:
    way = RecipientKind("email", ("email",), {"HUF": (Decimal(1), Decimal(10_000))}, frozenset(("HUF",)))
    monkeypatch.setattr(registry, "ways_for", lambda _recipient, _name: [way])

    assert said("main", {"email": "anna@example.com"}, "100", "HUF") == ""
    told = said("main", {"email": "anna@example.com"}, "100.50", "HUF")
    assert told == "amount: The account main pays whole HUF only, without decimals."
