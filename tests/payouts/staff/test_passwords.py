"""Passwords that are refused, and those that are taken: whole, however long."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

GOOD = "quarry-lantern-71-otter"


def anna() -> User:
    return User(username="apetrova", first_name="Anna", last_name="Petrova", email="anna@acme-pay.example")


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "qwertyuiop[]",
        "1qaz2wsx3edc4rfv",
        "PayoutsAcme2026!",
        "petrovaanna1990",
        "acme-pay-apetrova",
        "Пароль123456",
        "ВыплатыАдмин1",
        "january2026!",
        "aaaaaaaaaaaaaaaaaaaaaaaa",
        "p4ssw0rdp4ssw0rd",
        "kX9#mQ2vLp8",  # strong, and too short
        "583920174628",
    ],
)
def test_what_is_guessed_early_or_short_is_refused(password: str, settings: Any) -> None:
    settings.INSTALLATION = "acme"

    with pytest.raises(ValidationError):
        validate_password(password, anna())


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "jK8#mQ2vLp9x",
        "верблюд чайник оттепель 7",
        "horse battery kettle thaw",
        "🐪 kettle thaw seven",
        GOOD * 20,
    ],
)
def test_long_and_unrelated_words_are_taken_whatever_they_are_made_of(password: str) -> None:
    validate_password(password, anna())


def test_no_end_of_a_long_password_is_cut_off() -> None:
    person = anna()
    person.set_password(f"{GOOD * 40}x")

    assert person.check_password(f"{GOOD * 40}x")
    assert not person.check_password(f"{GOOD * 40}y")
    assert not person.check_password(GOOD * 40)
