"""Recipients as staff and files give them: the right shape or a sentence."""

from decimal import Decimal
from typing import Any

import pytest

from payouts import recipients
from payouts.models import BankList, ReviewFlag
from payouts.recipients import RecipientError


@pytest.mark.parametrize(
    ("kind", "account", "extra", "details"),
    [
        ("card", "4111 1111-1111 1111", {}, {"card": "4111111111111111"}),
        ("card", " 0000111122223333 ", {"name": " Иван "}, {"card": "0000111122223333", "name": "Иван"}),
        ("iban", "de89 3704 0044 0532 0130 00", {}, {"iban": "DE89370400440532013000"}),
        ("phone", "8 (912) 345-67-89", {"bank": "Т-Банк"}, {"phone": "+79123456789", "bank": "Т-Банк"}),
        ("phone", "+7\u00a0912\u00a0345\u00a067\u00a089", {"bank": "Б"}, {"phone": "+79123456789", "bank": "Б"}),
        ("wallet", "4100 1614 575714", {}, {"wallet": "41001614575714"}),
        ("token", " pt-2f1b ", {"name": "Иван"}, {"payout_token": "pt-2f1b", "name": "Иван"}),
        ("other", "40817810099910004312", {"bank": "Б"}, {"account": "40817810099910004312", "bank": "Б"}),
    ],
)
def test_a_recipient_is_kept_in_one_spelling(
    kind: str, account: str, extra: dict[str, str], details: dict[str, str]
) -> None:
    assert recipients.build(kind, account=account, **extra) == details


@pytest.mark.parametrize(
    ("kind", "account", "extra", "fields"),
    [
        ("card", "", {}, {"account"}),
        ("card", "4111", {}, {"account"}),
        ("card", "4" * 20, {}, {"account"}),
        ("card", "4111 1111 1111 111x", {}, {"account"}),
        ("iban", "DE89", {}, {"account"}),
        ("iban", "40817810099910004312", {}, {"account"}),
        ("phone", "+1 202 555 0100", {"bank": "Б"}, {"account"}),
        ("phone", "+7 912 345 67 8", {}, {"account", "bank"}),
        ("phone", "+7 912 345-67-89", {"bank": "Б", "currency": "USD"}, {"account"}),
        ("wallet", "4100161457", {}, {"account"}),
        ("wallet", "٤١٠٠١٦١٤٥٧٥٧١٤", {}, {"account"}),
        ("token", "pt 1", {}, {"account"}),
        ("token", "t" * 513, {}, {"account"}),
        ("other", "x" * 256, {"name": "n" * 256}, {"account", "name"}),
        ("cheque", "1", {}, {"account"}),
    ],
)
def test_a_recipient_of_the_wrong_shape_is_refused_in_words(
    kind: str, account: str, extra: dict[str, str], fields: set[str]
) -> None:
    with pytest.raises(RecipientError) as refusal:
        recipients.build(kind, account=account, **extra)

    assert set(refusal.value.errors) == fields
    assert "4111" not in str(refusal.value)


BANKS = BankList(
    {"100000000111": "Сбербанк", "100000000004": "Т-Банк", "100000000201": "Банк", "100000000202": "Банк"}
)


@pytest.mark.parametrize(
    ("text", "bank_id", "name"),
    [
        ("Сбербанк", "100000000111", "Сбербанк"),
        (" т-банк ", "100000000004", "Т-Банк"),
        ("100000000201", "100000000201", "Банк"),
        ("Банк (100000000202)", "100000000202", "Банк"),
    ],
)
def test_a_bank_of_the_list_is_kept_by_its_id_and_its_name(text: str, bank_id: str, name: str) -> None:
    built = recipients.build("phone", account="+79123456789", bank=text, banks=BANKS)

    assert built == {"phone": "+79123456789", "bank_id": bank_id, "bank": name}


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "Name the recipient's bank"), ("Сбер", "no such bank"), ("Банк", "100000000201, 100000000202")],
)
def test_a_phones_bank_that_is_not_clear_is_refused_where_there_is_a_list(text: str, says: str) -> None:
    with pytest.raises(RecipientError) as refusal:
        recipients.build("phone", account="+79123456789", bank=text, banks=BANKS)

    assert says in refusal.value.errors["bank"]


def test_the_bank_of_an_iban_is_a_free_text_with_or_without_a_list() -> None:
    built = recipients.build("iban", account="DE89370400440532013000", bank="Commerzbank", banks=BANKS)

    assert built == {"iban": "DE89370400440532013000", "bank": "Commerzbank"}


def test_a_person_chooses_banks_by_name_and_by_id_where_two_have_one_name() -> None:
    assert list(BANKS.labels) == ["Банк (100000000201)", "Банк (100000000202)", "Сбербанк", "Т-Банк"]


def test_free_details_are_lines_of_name_and_value() -> None:
    assert recipients.free("Счёт: 40817810099910004312\n\n БИК : 044525225 ") == {
        "Счёт": "40817810099910004312",
        "БИК": "044525225",
    }


@pytest.mark.parametrize("text", ["", "\n \n", "no colon", ": value", "name:", "a: 1\na: 2", "x: 1\n" * 41])
def test_free_details_that_are_no_lines_are_refused_in_words(text: str) -> None:
    with pytest.raises(RecipientError):
        recipients.free(text)


CARD = {"card": "4111 1111 1111 1111", "name": "Иван Петров"}
SPELLINGS: dict[str, dict[str, Any]] = {
    "no spaces": {"card": "4111111111111111"},
    "hyphens and a space more": {"card": " 4111-1111-1111-1111 "},
    "a space that is not seen": {"card": "4111\u200b1111\u202f1111\u00a01111"},
    "another case": {"Card": "4111 1111 1111 1111"},
    "another name": {"card_number": "4111 1111 1111 1111"},
    "one field more": {"card": "4111 1111 1111 1111", "name": "Иван Петров", "note": "1"},
    "nested": {"recipient": {"PAN": "4111 1111 1111 1111"}},
    "a type": {"type": "Card", "number": "4111 1111 1111 1111"},
    "a number of its own": {"card": {"number": 4111111111111111, "holder": "IVAN"}},
    "a number with decimals": {"card": Decimal("4.1111111111111110E15")},
    "digits of another script": {"card": "٤١١١ ١١١١ ١١١١ ١١١١"},
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_one_card_is_one_recipient_however_spelled(spelling: dict[str, Any]) -> None:
    assert recipients.identity(spelling) == recipients.identity(CARD) == "card:4111111111111111"


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ({"iban": "DE89 3704 0044 0532 0130 00"}, {"account": {"IBAN": "de89370400440532013000"}, "name": "Anna"}),
        ({"iban": "DE89 3704 0044 0532 0130 00"}, {"account_number": "DE89370400440532013000"}),
        ({"phone": "+7 912 345-67-89", "bank": "Т-Банк"}, {"Phone": "8 (912) 345-67-89", "bank": "Тинькофф"}),
        ({"phone": "+44 20 7946 0958"}, {"mobile": "0044 2079460958"}),
        (
            {"account": "4081 7810 0999 1000 4312", "bic": "044525225"},
            {"Счёт": "40817810099910004312", "БИК": "044525225", "name": "x"},
        ),
        ({"account": "12345678", "bic": "DEUTDEFF"}, {"account": "12345678", "SWIFT": "DEUTDEFFXXX"}),
    ],
)
def test_one_account_is_one_recipient_however_spelled(one: dict[str, Any], same: dict[str, Any]) -> None:
    assert recipients.identity(one) == recipients.identity(same)
    assert recipients.blind_index(one) == recipients.blind_index(same)


def test_a_wallets_number_and_a_banks_id_are_no_cards() -> None:
    assert recipients.findings({"wallet": "41001614575572", "bank_id": "1000000001111"}) == []
    assert recipients.findings({"account": "41001614575572"}) == [ReviewFlag.CARD_CHECKSUM]


def test_two_accounts_are_two_recipients() -> None:
    different: list[dict[str, Any]] = [
        {"card": "4111111111111111"},
        {"card": "4111111111111112"},
        {"card": "41111111111"},  # no card
        {"type": "wallet", "number": "4111111111111111"},
        {"wallet": "4111111111111111"},
        {"account": "4111111111111111"},
        {"account": "4111111111111111", "bic": "044525225"},
        {"account": "4111111111111111", "bic": "044525226"},
        {"account": "4111111111111112", "bic": "044525225"},
        {"iban": "DE89370400440532013000"},
        {"iban": "DE00370400440532013000"},  # fails its checksum
        {"account": "DE00370400440532013000"},
        {"phone": "+79123456789"},
        {"phone": "+79123456780"},
        {"phone": "9123456789"},  # of no country
        {"phone": "+491234567890"},
        {"wallet": "a"},
        {"wallet": "A"},
        {"account": "1", "name": "a"},
        {"account": "1", "name": "b"},
        {"cards": ["4111111111111111", "4111111111111112"]},
        {"card": ["4111111111111111", "4111111111111112"]},
    ]

    assert len({recipients.identity(details) for details in different}) == len(different)
    assert len({recipients.blind_index(details) for details in different}) == len(different)
