"""What a stored text may do to the one who reads it."""

import pytest

from payouts import actions, plain_text, vault
from payouts.batches import columns
from payouts.exports.cells import safe
from payouts.models import Payout
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.urls import LIST, dialog, page
from tests.recipes import awaiting_payout, pending_payout

TURNS = [chr(code) for code in (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))]
NAMES = [f"U+{ord(turn):04X}" for turn in TURNS]


@pytest.mark.parametrize("number", range(len(TURNS)), ids=NAMES)
def test_a_character_that_turns_text_is_found_everywhere_and_shown_as_its_name(number: int) -> None:
    turn = TURNS[number]

    assert plain_text.turns({"a": [{"b": f"x{turn}"}]})
    assert plain_text.turns({f"a{turn}": 1})
    assert plain_text.marked(f"a{turn}b") == f"a[{NAMES[number]}]b"
    assert safe(f"a{turn}b") == f"a[{NAMES[number]}]b"


def test_other_texts_are_left_as_they_are() -> None:
    for text in ("Анна", "أحمد", "דוד", "O’Neil-Smith", "名前", "a\u200bb", "👩\u200d🔧"):
        assert not plain_text.turns(text)
        assert plain_text.marked(text) == text


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["recipient", "comment"])
def test_a_payout_with_such_a_text_is_refused(field: str) -> None:
    text = "Anna \u202e3333 2222 1111 0000"
    recipient = {"card": "0000 1111 2222 3333", "name": text}
    given = {"recipient": recipient} if field == "recipient" else {"comment": text}

    with pytest.raises(actions.InvalidError, match="direction of text"):
        pending_payout(**given)

    assert not Payout.objects.exists()


@pytest.mark.django_db
def test_a_reason_with_such_a_text_is_refused() -> None:
    payout = awaiting_payout()

    with pytest.raises(actions.InvalidError, match="direction of text"):
        actions.hold(payout.pk, by=recipes.person.make(), reason="It\u2066s odd.")


def test_a_cell_of_a_file_with_such_a_text_is_a_fault() -> None:
    given = columns.Given({"name": "Anna \u202e3333"})

    assert columns._cell_faults(given, given.texts) == [("name", "turns", {})]


@pytest.mark.django_db
def test_old_rows_turn_nothing_on_any_page() -> None:
    """Shown before: with U+202E in the name the dialog showed another card number than the one to be paid."""
    payout = awaiting_payout()
    masked = {"card": "0000 11•• •••• 3333", "name": "Anna \u202e4444 •••• ••22 2222"}
    Payout.objects.filter(pk=payout.pk).update(recipient_masked=masked, comment="\u2067x", seal=b"")
    Payout.objects.get(pk=payout.pk)
    browser = as_user(recipes.superuser.make())

    for path in (LIST, page(payout), dialog(payout, "hold"), "/admin/payouts/approvals/"):
        response = browser.get(path)
        text = response.content.decode()
        assert "Anna [U+202E]4444" in text, path
        assert int(response["Content-Length"]) == len(response.content), path
        assert not plain_text.turns(text), path


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("card 4929 1111 2222 3339 for Anna", "card •••• •••• •••• 3339 for Anna"),
        ("4929111122223339 and 4000-1234-5678-9010", "••••••••••••3339 and ••••-••••-••••-9010"),
        ("4929 1111 2222 3339 123", "•••• •••• •••• 3339 •••"),
        ("4929111122223339 cvv 123", "••••••••••••3339 cvv •••"),
        ("cvv: 123", "cvv: •••"),
        ("CVC - 1234", "CVC - ••••"),
        ("8 (912) 345-67-89", "• (•••) •••-67-89"),
        ("flat 12", "flat ••"),
    ],
)
def test_each_number_in_a_text_is_masked_by_itself(text: str, shown: str) -> None:
    """Shown before: “4929… cvv 123” showed the check number, and of two cards the second's end alone was hidden."""
    assert vault.masked_text(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Bonus 2026, invoice 123", "Bonus 2026, invoice 123"),
        ("to 4929111122223339, cvv 123", "to 492911••••••3339, cvv •••"),
        ("4929 1111 2222 3339 and 4000-1234-5678-9010", "4929 11•• •••• 3339 and 4000-12••-••••-9010"),
        ("order-4929111122223339", "order-492911••••••3339"),
    ],
)
def test_cards_in_comments_and_keys_are_masked_each_by_itself(text: str, shown: str) -> None:
    assert plain_text.without_cards(text) == shown


@pytest.mark.django_db
def test_cards_in_a_comment_and_a_key_are_masked_on_the_page(client) -> None:
    payout = pending_payout(
        client=client, comment="4929 1111 2222 3339, cvv 123", idempotency_key="k-4929111122223339"
    )

    text = as_user(recipes.superuser.make()).get(page(payout)).content.decode()

    assert "4929 11•• •••• 3339, cvv •••" in text
    assert "k-492911••••••3339" in text
    assert "4929 1111" not in text
    assert "4929111122223339" not in text


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("order-1795688-160-bf7316", "order-1795688-160-bf7316"),
        ("order-960026f1-4b2c-4c1d-9a57-000000007535", "order-960026f1-4b2c-4c1d-9a57-000000007535"),
        ("2026-11-26/000017", "2026-11-26/000017"),
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),
        ("4111 1111 1111 1111", "4111 11•• •••• 1111"),
        ("pay-4111-1111-1111-1111-x", "pay-4111-11••-••••-1111-x"),
        ("pay-40817810099910004312", "pay-••••••••••••••••4312"),
    ],
)
def test_a_key_can_be_looked_up_unless_it_has_an_account(key: str, shown: str) -> None:
    assert plain_text.key_without_cards(key) == shown
