"""Recipients as staff and files give them: the right shape or a sentence."""

import pytest

from payouts import recipients
from payouts.recipients import RecipientError


@pytest.mark.parametrize(
    ("kind", "account", "extra", "details"),
    [
        ("card", "4111 1111-1111 1111", {}, {"card": "4111111111111111"}),
        ("card", " 0000111122223333 ", {"name": " Иван "}, {"card": "0000111122223333", "name": "Иван"}),
        ("iban", "de89 3704 0044 0532 0130 00", {}, {"iban": "DE89370400440532013000"}),
        ("phone", "8 (912) 345-67-89", {"bank": "Т-Банк"}, {"phone": "+79123456789", "bank": "Т-Банк"}),
        ("phone", "+7\u00a0912\u00a0345\u00a067\u00a089", {"bank": "Б"}, {"phone": "+79123456789", "bank": "Б"}),
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


def test_free_details_are_lines_of_name_and_value() -> None:
    assert recipients.free("Счёт: 40817810099910004312\n\n БИК : 044525225 ") == {
        "Счёт": "40817810099910004312",
        "БИК": "044525225",
    }


@pytest.mark.parametrize("text", ["", "\n \n", "no colon", ": value", "name:", "a: 1\na: 2", "x: 1\n" * 41])
def test_free_details_that_are_no_lines_are_refused_in_words(text: str) -> None:
    with pytest.raises(RecipientError):
        recipients.free(text)
