"""Recipients are encrypted at rest and masked for people; seals tell every change."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import given, settings
from hypothesis import strategies as st

from payouts import vault
from payouts.database.storable import is_storable
from payouts.vault import UnreadableError

CARD = "4111 1111 1111 1111"

names = st.text(max_size=12).filter(is_storable)
numbers = st.one_of(
    st.integers(-(10**30), 10**30),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=3),
)
digits = st.text(alphabet="0123456789 -", min_size=1, max_size=40)
leaves = st.one_of(st.none(), st.booleans(), numbers, names, digits)
contents = st.dictionaries(
    names,
    st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names | digits, inner, max_size=4)
    ),
    max_size=5,
)


@settings(max_examples=50)
@given(contents)
def test_what_was_encrypted_comes_back_and_has_the_same_terms(content: dict[str, Any]) -> None:
    content = vault.normal(content)

    token = vault.encrypt(content)

    assert vault.decrypt(token) == content
    assert vault.canonical(vault.decrypt(token)) == vault.canonical(content)
    assert vault.normal(content) == content


@settings(max_examples=50)
@given(contents)
def test_no_more_of_a_number_survives_the_mask_than_six_and_four_digits(content: dict[str, Any]) -> None:
    for text in _texts(vault.masked(content)):
        shown = re.findall(r"\d+", re.sub(r"[ -]", "", text))
        assert sum(map(len, shown)) <= 10
        assert all(len(run) <= 6 for run in shown)


@given(st.from_regex(r"\A\d([ -]?\d){12,18}\Z"))
def test_a_card_shows_its_first_six_and_last_four(card: str) -> None:
    shown = re.sub(r"\D", "", vault.masked_text(card))
    whole = re.sub(r"\D", "", card)

    assert shown in (whole[:6] + whole[-4:], whole[-4:])
    assert len(vault.masked_text(card)) == len(card)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (CARD, "4111 11•• •••• 1111"),
        ("4111111111111111", "411111••••••1111"),
        ("40817810099910004312", "••••••••••••••••4312"),
        ("+7 900 123-45-67", "+• ••• •••-45-67"),
        ("12345", "•••••"),
        ("123", "•••"),
        ("Иван Петров", "Иван Петров"),
        ("", ""),
    ],
)
def test_a_text_is_masked_by_what_it_looks_like(text: str, masked: str) -> None:
    assert vault.masked_text(text) == masked


def test_the_mask_reaches_names_lists_and_numbers() -> None:
    content = {CARD: [{"pan": 4111111111111111, "cvv": 123}, ["4111", "1111"], True, None]}

    masked = json.dumps(vault.masked(content), ensure_ascii=False)

    assert re.findall(r"\d{5,}", masked) == ["411111"]
    assert "123" not in masked
    assert vault.masked(content)["4111 11•• •••• 1111"][2:] == [True, None]


def test_nothing_of_the_recipient_can_be_read_in_the_token() -> None:
    token = vault.encrypt({"card": CARD})

    assert CARD not in token
    assert token != vault.encrypt({"card": CARD})


def test_the_first_key_encrypts_and_every_key_decrypts(settings: Any) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [old]
    before = vault.encrypt({"card": CARD})
    settings.FIELD_ENCRYPTION_KEYS = [new, old]
    after = vault.encrypt({"card": CARD})

    settings.FIELD_ENCRYPTION_KEYS = [new]

    assert vault.decrypt(after) == {"card": CARD}
    with pytest.raises(UnreadableError):
        vault.decrypt(before)
    settings.FIELD_ENCRYPTION_KEYS = [new, old]
    assert vault.decrypt(before) == {"card": CARD}


@pytest.mark.parametrize("token", ["", "junk", "gAAAAA", "é", "\ud800", "\x00", "=" * 100])
def test_what_is_no_token_is_unreadable(token: str) -> None:
    with pytest.raises(UnreadableError):
        vault.decrypt(token)


def test_a_token_with_one_letter_changed_is_unreadable() -> None:
    token = vault.encrypt({"card": CARD})
    changed = token[:40] + ("A" if token[40] != "A" else "B") + token[41:]

    with pytest.raises(UnreadableError):
        vault.decrypt(changed)


def test_the_index_is_equal_for_equal_recipients_and_for_no_others() -> None:
    index = vault.blind_index(f"card:{CARD}")

    assert index == vault.blind_index(f"card:{CARD}")
    assert index != vault.blind_index(f"card:{CARD} ")
    assert len(index) == 32


OLD, NEW = "the old key that seals have been made by", "the new key that the next seals are made by"


def test_the_index_depends_on_its_own_key_alone(settings: Any) -> None:
    index = vault.blind_index(f"card:{CARD}")

    settings.EVENT_HMAC_KEYS = [NEW]
    with_other_seals = vault.blind_index(f"card:{CARD}")
    settings.INDEX_KEY = "another key that is long enough to pass"

    assert with_other_seals == index
    assert vault.blind_index(f"card:{CARD}") != index


def test_the_first_key_seals_and_every_key_verifies(settings: Any) -> None:
    settings.EVENT_HMAC_KEYS = [OLD]
    before = vault.seal("event", 1)
    settings.EVENT_HMAC_KEYS = [NEW, OLD]

    after = vault.seal("event", 1)

    assert after != before
    assert len(after) == vault.SEAL_BYTES
    assert vault.seal("event", 1, like=before) == before
    assert vault.seal("event", 2, like=before) != before
    assert vault.seal("event", 1, like=after) == after
    assert [vault.is_by_first_key(each) for each in (before, after)] == [False, True]


def test_a_seal_of_a_key_that_is_not_ours_fits_nothing(settings: Any) -> None:
    settings.EVENT_HMAC_KEYS = [OLD]
    before = vault.seal("event", 1)

    settings.EVENT_HMAC_KEYS = [NEW]

    assert vault.seal("event", 1, like=before) != before
    assert [vault.is_by_known_key(each) for each in (before, vault.seal("event", 1))] == [False, True]


def test_a_retired_key_verifies_history_alone(settings: Any) -> None:
    settings.EVENT_HMAC_KEYS = [OLD]
    before = vault.seal("event", 1)

    settings.EVENT_HMAC_KEYS, settings.EVENT_HMAC_KEYS_RETIRED = [NEW], [OLD]

    assert vault.seal("event", 1, like=before, is_history=True) == before
    assert vault.seal("event", 1, like=before) != before


def test_a_key_of_another_key_s_id_verifies_nothing(settings: Any) -> None:
    settings.EVENT_HMAC_KEYS = [NEW, OLD]
    old = vault.seal("event", 1, like=vault.key_id(OLD) + bytes(vault.MAC_BYTES))

    relabelled = vault.key_id(NEW) + old[vault.KEY_ID_BYTES :]

    assert vault.seal("event", 1, like=relabelled) != relabelled


def test_a_seal_from_before_seals_had_an_id_is_verified_by_every_key(settings: Any) -> None:
    settings.EVENT_HMAC_KEYS = [OLD]
    bare = vault.seal("event", 1)[vault.KEY_ID_BYTES :]

    settings.EVENT_HMAC_KEYS = [NEW, OLD]

    assert vault.seal("event", 1, like=bare) == bare
    assert vault.seal("event", 2, like=bare) != bare
    assert not vault.is_by_first_key(bare)


@pytest.mark.parametrize("junk", [b"", b"abc", bytes(32), bytes(36), bytes(40)])
def test_junk_is_no_seal(junk: bytes) -> None:
    assert vault.seal("event", 1, like=junk) != junk


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c"), ("a", "bc")),
        (("a", None), ("a", "")),
        ((1,), ("1",)),
        (("a",), ("a", "")),
        (('a","b',), ("a", "b")),
        ((), ("",)),
        ((True,), (1,)),
    ],
)
def test_a_seal_tells_its_parts_apart(one: tuple[object, ...], other: tuple[object, ...]) -> None:
    assert vault.seal("event", *one) != vault.seal("event", *other)


def test_a_seal_is_worth_nothing_for_another_purpose() -> None:
    assert vault.seal("event", 1) != vault.seal("approval", 1)


@pytest.mark.parametrize(
    ("one", "other"), [({"a": 1}, {"a": "1"}), ({"a": 1}, {"a": True}), ({"a": None}, {}), ({"a": [1]}, {"a": 1})]
)
def test_different_recipients_are_never_the_same_terms(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert vault.canonical(one) != vault.canonical(other)


@pytest.mark.parametrize(
    "content",
    ["\0", "\ud800", ["a", "\0"], {"\0": 1}, {"a": {"b": "\udfff"}}, float("nan"), float("-inf"), Decimal("NaN")],
)
def test_what_cannot_be_stored_is_told(content: object) -> None:
    assert is_storable(content) is False


def test_nesting_has_its_limit() -> None:
    def nested(levels: int) -> list[Any]:
        return [nested(levels - 1)] if levels else []

    assert is_storable(nested(15))
    assert not is_storable(nested(17))


@settings(max_examples=50)
@given(contents)
def test_what_json_can_hold_can_be_stored(content: dict[str, Any]) -> None:
    assert is_storable(content)


def _texts(content: Any) -> list[str]:
    if isinstance(content, dict):
        return [text for item in [*content, *content.values()] for text in _texts(item)]
    if isinstance(content, list):
        return [text for item in content for text in _texts(item)]
    return [content] if isinstance(content, str) else []
