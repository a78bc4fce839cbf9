"""A recipient is read as exactly one of the ways in which YooKassa pays, or as none."""

from typing import Any

import pytest

from payouts.providers.yookassa.destinations import RECIPIENTS, read
from payouts.providers.yookassa.shapes import CardDestination, CardDigits, SbpDestination, WalletDestination
from tests.payouts.providers.yookassa.objects import SBP

CARD = {"card": "5555555555554477"}
TOKEN = {"payout_token": "hoiCz_UVAdi_eKEthqhjRIJp.SC.001.202101"}
WALLET = {"wallet": "41001614575714"}


@pytest.mark.parametrize(
    ("phone", "sent"),
    [
        ("79000000000", "79000000000"),
        ("+7 (900) 000-00-00", "79000000000"),
        ("8 900 000-00-00", "79000000000"),
        ("+375 29 123-45-67", "375291234567"),
        ("+1 890 000-00-00", "18900000000"),
        ("18900000000", "18900000000"),
        ("+8 900 000 00 00", "89000000000"),
    ],
)
def test_a_phone_is_sent_as_e164_without_its_plus(phone: str, sent: str) -> None:
    found = read({"phone": phone, "bank_id": "100000000111"}, takes_card_numbers=False)

    assert found is not None
    assert found.order == {"payout_destination_data": {"type": "sbp", "phone": sent, "bank_id": "100000000111"}}


@pytest.mark.parametrize(
    ("recipient", "order"),
    [
        (TOKEN, TOKEN),
        (WALLET, {"payout_destination_data": {"type": "yoo_money", "account_number": "41001614575714"}}),
        (
            {"card": "5555 5555-5555 4477"},
            {"payout_destination_data": {"type": "bank_card", "card": {"number": "5555555555554477"}}},
        ),
    ],
)
def test_the_other_ways_are_sent_as_documented(recipient: dict[str, object], order: dict[str, object]) -> None:
    found = read(recipient | {"name": "Иван Петров"}, takes_card_numbers=True)

    assert found is not None
    assert found.order == order


@pytest.mark.parametrize(
    "recipient",
    [
        {},
        {"iban": "DE89370400440532013000"},
        {"phone": "79000000000"},
        {"phone": "79000000000", "bank": "Сбербанк"},
        {"phone": "79000000000", "bank_id": "10000000011"},
        {"phone": "79000000000", "bank_id": "1000000001111"},
        {"phone": "79000000000", "bank_id": "10000000011\n"},
        {"phone": "", "bank_id": "100000000111"},
        {"phone": "0900000000", "bank_id": "100000000111"},
        {"phone": "7900000000000000", "bank_id": "100000000111"},
        {"phone": "٧٩٠٠٠٠٠٠٠٠٠", "bank_id": "100000000111"},
        {"phone": 79000000000, "bank_id": "100000000111"},
        {"bank_id": "100000000111"},
        {"wallet": "4100161457"},
        {"wallet": "4" * 34},
        {"wallet": None},
        {"payout_token": ""},
        {"payout_token": "a b"},
        {"payout_token": "é"},
        {"card": "555555555555447"},
        {"card": "5" * 20},
        {"card": {"number": "5555555555554477"}},
        {**SBP, **WALLET},
        {**TOKEN, **CARD},
        {**TOKEN, "phone": "79000000000"},
    ],
    ids=repr,
)
def test_no_way_several_ways_and_wrong_shapes_are_not_read(recipient: dict[str, Any]) -> None:
    assert read(recipient, takes_card_numbers=True) is None


def test_a_card_number_is_read_only_where_the_account_takes_them() -> None:
    assert read(CARD, takes_card_numbers=False) is None
    assert read(CARD, takes_card_numbers=True) is not None
    assert read(TOKEN, takes_card_numbers=False) is not None


@pytest.mark.parametrize(
    ("recipient", "told", "fits"),
    [
        (SBP, SbpDestination("79000000000", "100000000111"), True),
        (SBP, SbpDestination("79000000000", "100000000222"), False),
        (SBP, WalletDestination("79000000000"), False),
        (WALLET, WalletDestination("41001614575714"), True),
        (WALLET, WalletDestination("41001614575715"), False),
        (WALLET, CardDestination(), False),
        (TOKEN, CardDestination(CardDigits("555555", "4477")), True),
        (TOKEN, WalletDestination("41001614575714"), False),
        (CARD, CardDestination(), True),
        (CARD, CardDestination(CardDigits("220000", "4477")), True),
        (CARD, CardDestination(CardDigits("555555", "4478")), False),
        (CARD, SbpDestination("79000000000", "100000000111"), False),
    ],
)
def test_a_destination_knows_its_own(recipient: dict[str, object], told: Any, fits: bool) -> None:
    found = read(recipient, takes_card_numbers=True)

    assert found is not None
    assert found.is_told(told) is fits


def test_no_repr_shows_the_recipient() -> None:
    assert "5555" not in repr(read(CARD, takes_card_numbers=True))


def test_every_declared_kind_can_be_read() -> None:
    samples = {"phone": "79000000000", "bank_id": "100000000111", **TOKEN, **CARD, **WALLET}

    for kind in RECIPIENTS:
        assert read({name: samples[name] for name in kind.fields}, takes_card_numbers=True) is not None
