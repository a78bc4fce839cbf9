"""What we write down of a call is told in the reader's language, as far as the words are ours."""

import pytest
from django.utils.translation import override

from payouts.providers.messages import advice, translated


@pytest.mark.parametrize(
    ("message", "russian"),
    [
        ("The provider did not answer in time.", "Провайдер не ответил вовремя."),
        ("The provider answered HTTP 500.", "Провайдер ответил HTTP 500."),
        (
            "The provider's answer cannot be read (HTTP 200, 17 bytes).",
            "Ответ провайдера не читается (HTTP 200, байт: 17).",
        ),
        ("Insufficient funds", "Insufficient funds"),
        ("", ""),
    ],
)
def test_our_own_words_are_translated_and_the_providers_are_not(message: str, russian: str) -> None:
    assert translated(message) == message

    with override("ru"):
        assert translated(message) == russian


def test_a_known_refusal_says_why_and_what_to_do() -> None:
    known = "YooKassa gave no reason. Ask YooKassa before you retry."

    assert advice(known) == known
    assert advice("Insufficient funds") == ""
    assert advice("The provider did not answer in time.") == ""
    with override("ru"):
        assert advice(known) == translated(known) != known
