"""A new payout by hand: what the form takes, what it says while it is typed, and that it is made once."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from payouts import actions
from payouts.actions import bank_lists
from payouts.models import Event, Payout, PayoutLimit, Route, SubmittedSum
from payouts.models.sealed_sets import forget
from payouts.providers import Bank
from payouts.recipients import Kind
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.urls import page
from tests.payouts.observe import by_hand

pytestmark = pytest.mark.django_db

ADD = "/admin/payouts/payout/add/"
CHECK = f"{ADD}check/"
CARD = "4111 1111 1111 1111"


@pytest.fixture
def operator(as_group: Any) -> Client:
    return as_group("Operator")


def form(browser: Client, **changed: str) -> dict[str, str]:
    """The form as it is opened, filled in."""
    text = browser.get(ADD).content.decode()
    reference = text.split('name="reference" value="')[1].split('"')[0]
    return {
        "reference": reference,
        "amount": "1 234,50",
        "currency": "RUB",
        "user_id": "42",
        "kind": "card",
        "account": CARD,
        "name": "Иван Петров",
        "bank": "",
        "details": "",
        "comment": "Возврат",
        "scheduled_for": "",
    } | changed


def test_a_person_makes_a_payout_which_another_must_approve(in_group: Any) -> None:
    maker = in_group("Operator")
    browser = as_user(maker)

    answer = browser.post(ADD, form(browser), follow=True)

    payout = Payout.objects.get()
    assert answer.redirect_chain == [(page(payout), 302)]
    assert "created. Needs 1 approval." in answer.content.decode()
    assert (payout.maker, payout.client) == (maker, None)
    assert (payout.amount, payout.currency, payout.user_id) == (Decimal("1234.50"), "RUB", 42)
    assert payout.recipient_details == {"card": "4111111111111111", "name": "Иван Петров"}
    assert (payout.comment, payout.approvals_required, payout.due_at) == ("Возврат", 1, None)


@pytest.mark.parametrize(
    ("changed", "details"),
    [
        (
            {"kind": "iban", "account": "DE89 3704 0044 0532 0130 00", "bank": "Commerzbank"},
            {"iban": "DE89370400440532013000", "name": "Иван Петров", "bank": "Commerzbank"},
        ),
        (
            {"kind": "phone", "account": "8 912 345-67-89", "bank": "Т-Банк"},
            {"phone": "+79123456789", "name": "Иван Петров", "bank": "Т-Банк"},
        ),
        (
            {"kind": "other", "details": "Account: 40817810099910004312\nBIC: 044525225"},
            {"Account": "40817810099910004312", "BIC": "044525225"},
        ),
    ],
)
def test_recipients_of_every_kind(changed: dict[str, str], details: dict[str, str], operator: Client) -> None:
    operator.post(ADD, form(operator, **changed))

    assert Payout.objects.get().recipient_details == details


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"amount": "1.0055"}, "has at most 2 decimals"),
        ({"amount": "1.005"}, "could mean a thousand or one"),
        ({"amount": "100.5", "currency": "JPY"}, "has at most 0 decimals"),
        ({"amount": "0"}, "must be greater than zero"),
        ({"amount": "ten"}, "Give digits, with a point or a comma before decimals, as in 1234.50."),
        ({"amount": ""}, "This field is required."),
        ({"currency": "XAU"}, "XAU is not one of the available choices"),
        ({"user_id": "0"}, "greater than or equal to 1"),
        ({"account": "4111"}, "A card number has 13 to 19 digits."),
        ({"kind": "phone", "account": "+7 912 345-67-89"}, "recipient&#x27;s bank"),
        ({"kind": "phone", "account": "+7 912 345-67-89", "bank": "B", "currency": "USD"}, "SBP pays in RUB only"),
        ({"kind": "other", "details": "no colon"}, "is not of the form"),
        ({"reference": "forged"}, "too old, or not yours"),
        ({"reference": ""}, "The form is incomplete."),
        ({"scheduled_for": "soon"}, "Enter a valid date/time."),
    ],
)
def test_what_cannot_be_paid_is_refused_in_words(changed: dict[str, str], sentence: str, operator: Client) -> None:
    answer = operator.post(ADD, form(operator, **changed))

    assert answer.status_code == 200
    assert sentence in answer.content.decode()
    assert not Payout.objects.exists()


def test_a_form_that_is_sent_twice_makes_one_payout(operator: Client) -> None:
    sent = form(operator)

    operator.post(ADD, sent)
    again = operator.post(ADD, sent, follow=True)

    payout = Payout.objects.get()
    assert again.redirect_chain == [(page(payout), 302)]
    assert "No second payout was made" in again.content.decode()
    assert Event.objects.count() == 1


def test_a_form_that_is_sent_again_with_another_amount_is_refused(operator: Client) -> None:
    sent = form(operator)

    operator.post(ADD, sent)
    again = operator.post(ADD, {**sent, "amount": "2000"})

    assert "sent before, with other content" in again.content.decode()
    assert Payout.objects.get().amount == Decimal("1234.50")


def test_the_form_of_another_person_is_refused(operator: Client, as_group: Any) -> None:
    sent = form(operator)

    answer = as_group("Operator").post(ADD, sent)

    assert "too old, or not yours" in answer.content.decode()
    assert not Payout.objects.exists()


def test_an_old_form_is_refused(operator: Client) -> None:
    with time_machine.travel(timezone.now() - timedelta(hours=13)):
        sent = form(operator)

    answer = operator.post(ADD, sent)

    assert "too old, or not yours" in answer.content.decode()
    assert not Payout.objects.exists()


@pytest.mark.parametrize("group", ["Approver", "Auditor"])
def test_who_may_not_make_payouts_gets_no_form(group: str, as_group: Any, operator: Client) -> None:
    sent = form(operator)
    browser = as_group(group)

    assert browser.get(ADD).status_code == 403
    assert browser.post(ADD, sent).status_code == 403
    assert browser.post(CHECK, sent).status_code == 403
    assert not Payout.objects.exists()


# While it is typed


def checked(browser: Client, **changed: str) -> dict[str, Any]:
    answer = browser.post(CHECK, form(browser, **changed))
    assert "no-store" in answer.headers["Cache-Control"]
    return answer.json()


def test_what_is_not_typed_yet_is_no_error(operator: Client) -> None:
    assert checked(operator, amount="", account="", user_id="", name="") == {"errors": {}, "notes": []}


def test_what_is_typed_is_checked_and_nothing_is_stored(operator: Client) -> None:
    found = checked(operator, amount="1.0055", account="4111")

    assert set(found["errors"]) == {"amount", "account"}
    assert not Payout.objects.exists()


def test_the_form_says_what_would_be_submitted_and_masks_the_number(operator: Client) -> None:
    found = checked(operator)

    assert found["errors"] == {}
    assert found["notes"] == [
        "1,234.50\u00a0RUB to Иван Петров · 411111••••••1111",
        "Will be paid from the account http (HTTP).",
        "Needs 1 approval by another person.",
    ]


def test_the_form_warns_of_checksums_and_of_the_same_payout_before(operator: Client) -> None:
    recipient = {"card": "0000111122223333"}
    earlier = recipes.pending_payout(recipient=recipient, amount=Decimal("5.00"))

    found = checked(operator, account="0000 1111 2222 3333", name="", amount="5.00")

    assert "Staff will see: the card number fails its checksum." in found["notes"]
    assert f"Possible duplicate of #{earlier.pk} (under 1 min earlier)." in found["notes"]


def test_the_form_counts_the_approval_that_a_review_rule_asks_for(in_group: Any) -> None:
    person = in_group("Operator")
    browser = as_user(person)
    browser.post(ADD, form(browser))

    notes = checked(browser)["notes"]
    browser.post(ADD, form(browser))

    assert "Needs 2 approvals by other people." in notes
    assert Payout.objects.latest("pk").approvals_required == 2


def test_the_form_counts_the_days_limit_without_using_it_up(operator: Client) -> None:
    PayoutLimit.objects.create(currency="RUB", day_amount=Decimal(2_000))
    operator.post(ADD, form(operator, amount="1500"))
    used = list(SubmittedSum.objects.values())

    notes = checked(operator, amount="501", account="5555 5555 5555 4444")["notes"]

    assert "Needs 2 approvals by other people." in notes
    assert list(SubmittedSum.objects.values()) == used


# From an account that declares what it pays


@pytest.fixture
def _main(settings: Any) -> None:
    """One account, with YooKassa, and the banks that it lists."""
    settings.PROVIDER_URL = ""
    settings.PROVIDERS = {"main": "yookassa"}
    bank_lists.note(
        "yookassa", [Bank("100000000111", "Сбербанк"), Bank("100000000004", "Т-Банк")], asked_at=timezone.now()
    )


SBP = {"kind": "phone", "account": "8 912 345-67-89", "bank": "т-банк"}


@pytest.mark.usefixtures("_main")
def test_the_bank_is_chosen_from_the_list_and_kept_by_its_id(operator: Client) -> None:
    text = operator.get(ADD).content.decode()
    operator.post(ADD, form(operator, **SBP))

    assert 'list="po-banks"' in text
    assert '<option value="Сбербанк"></option><option value="Т-Банк"></option>' in text
    assert Payout.objects.get().recipient_details == {
        "phone": "+79123456789",
        "bank_id": "100000000004",
        "bank": "Т-Банк",
        "name": "Иван Петров",
    }


@pytest.mark.usefixtures("_main")
def test_a_bank_that_is_not_on_the_list_is_refused_as_it_is_typed_and_when_it_is_sent(operator: Client) -> None:
    found = checked(operator, **SBP | {"bank": "Сбер"})
    answer = operator.post(ADD, form(operator, **SBP | {"bank": "Сбер"}))

    assert "no such bank" in found["errors"]["bank"]
    assert "no such bank" in answer.content.decode()
    assert not Payout.objects.exists()


def test_without_a_list_the_bank_is_a_free_text(operator: Client) -> None:
    assert "po-banks" not in operator.get(ADD).content.decode()


@pytest.mark.usefixtures("_main")
def test_only_the_kinds_that_some_account_pays_are_offered(operator: Client, settings: Any) -> None:
    def offered() -> set[str]:
        return set(re.findall(r'name="kind" value="(\w+)"', operator.get(ADD).content.decode()))

    assert offered() == {"phone", "wallet", "token", "other"}

    settings.PROVIDER_VALUES = {"main": {"CARD_NUMBERS": "on"}}
    assert "card" in offered()

    settings.PROVIDER_URL = "https://provider.test"
    assert offered() == set(Kind.values)

    settings.PROVIDERS = {}
    assert offered() == {"card", "iban", "phone", "other"}


@pytest.mark.usefixtures("_main")
@pytest.mark.parametrize(
    ("changed", "details"),
    [
        ({"kind": "wallet", "account": "4100 1614 575714"}, {"wallet": "41001614575714"}),
        ({"kind": "token", "account": "pt-2f1b"}, {"payout_token": "pt-2f1b"}),
    ],
)
def test_a_wallet_and_a_token_are_paid_where_an_account_declares_them(
    changed: dict[str, str], details: dict[str, str], operator: Client
) -> None:
    operator.post(ADD, form(operator, **changed))

    assert Payout.objects.get().recipient_details == details | {"name": "Иван Петров"}


@pytest.mark.usefixtures("_main")
def test_the_preview_names_the_account_that_will_pay(operator: Client, settings: Any) -> None:
    settings.PROVIDERS = {"http": "http", "main": "yookassa"}
    Route.objects.create(position=10, account="main", currency="RUB", recipient_kind="sbp")

    assert "Will be paid from the account main (YooKassa)." in checked(operator, **SBP)["notes"]
    assert "Will be paid from the account http (HTTP)." in checked(operator)["notes"]


@pytest.mark.usefixtures("_main")
@pytest.mark.parametrize(
    ("changed", "field", "says"),
    [
        ({"amount": "500000,01"}, "amount", "pays at most 500,000.00"),
        ({"currency": "EUR", "kind": "wallet", "account": "41001614575714"}, "currency", "does not pay in EUR"),
        ({"kind": "other", "details": "pigeon: 17"}, "details", "cannot pay such a recipient"),
    ],
)
def test_what_the_account_cannot_pay_is_said_while_it_is_typed_and_refused_when_it_is_sent(
    changed: dict[str, str], field: str, says: str, operator: Client
) -> None:
    filled = SBP | changed

    found = checked(operator, **filled)
    answer = operator.post(ADD, form(operator, **filled))

    assert says in found["errors"][field]
    assert says in answer.content.decode()
    assert not Payout.objects.exists()


def test_a_currency_that_there_is_not_is_an_error_while_it_is_typed(operator: Client) -> None:
    assert set(checked(operator, currency="QQQ")["errors"]) == {"currency"}


def test_the_check_answers_a_get_with_nothing_to_say(operator: Client) -> None:
    assert operator.get(CHECK).json() == {"errors": {}, "notes": []}


def test_a_second_person_approves_what_the_first_made(in_group: Any) -> None:
    maker = in_group("Admin")
    browser = as_user(maker)
    browser.post(ADD, form(browser))
    payout = Payout.objects.get()

    with pytest.raises(actions.FourEyesError):
        actions.approve(payout.pk, by=maker)
    payout = actions.approve(payout.pk, by=in_group("Approver"))

    assert payout.due_at is not None


def test_while_sql_has_changed_a_rule_the_form_says_so_and_makes_nothing(operator: Client) -> None:
    filled = form(operator)
    by_hand("UPDATE payouts_approvalband SET approvals_required = 0")
    forget()

    told = checked(operator)
    answer = operator.post(ADD, filled)

    assert "changed outside the product" in " ".join(told["notes"])
    assert "changed outside the product" in answer.content.decode()
    assert not Payout.objects.exists()


@pytest.mark.usefixtures("_main")
def test_the_page_names_the_bank_of_the_id_whatever_a_client_calls_it(operator: Client) -> None:
    named = recipes.pending_payout(recipient={"phone": "+79123456789", "bank_id": "100000000004", "bank": "Сбербанк"})
    unlisted = recipes.pending_payout(recipient={"phone": "+79123456789", "bank_id": "100000000999"})

    text = operator.get(page(named)).content.decode()

    assert "••••••••0004 (Т-Банк)" in text
    assert "••••••••0999<" in operator.get(page(unlisted)).content.decode()
