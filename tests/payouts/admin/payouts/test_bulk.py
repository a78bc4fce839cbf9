"""Deciding on many payouts in the back office: choosing, confirming, the result, and who may."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from payouts import actions
from payouts.models import Approval, BulkDecision, Event, EventName, Payout
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.urls import LIST

pytestmark = pytest.mark.django_db

BULK = f"{LIST}bulk/"
REASON = {"reason": "Matches the register of Monday."}
PERMITTED = {
    "approve": {"Approver", "Admin"},
    "hold": {"Operator", "Approver", "Admin"},
    "release": {"Operator", "Approver", "Admin"},
    "retry": {"Operator", "Admin"},
    "cancel": {"Operator", "Admin"},
}
MAKE: dict[str, Any] = {
    "approve": recipes.awaiting_payout,
    "hold": recipes.pending_payout,
    "release": recipes.held_payout,
    "retry": recipes.failed_payout,
    "cancel": recipes.pending_payout,
}


@pytest.fixture
def approver(in_group: Any) -> User:
    found: User = in_group("Approver")
    return found


@pytest.fixture
def browser(approver: User) -> Client:
    return as_user(approver)


def chosen(browser: Client, *payouts: Payout, verb: str = "approve") -> str:
    """The address of the page that asks for confirmation."""
    answer = browser.post(BULK, {"verb": verb, "chosen": [payout.pk for payout in payouts]})
    assert answer.status_code == 302
    return str(answer.headers["Location"])


def test_choosing_leads_to_a_page_with_sums_and_decides_nothing(browser: Client) -> None:
    rubles = [recipes.awaiting_payout(amount=Decimal("150000.10")) for _each in range(2)]
    yen = recipes.awaiting_payout(amount=Decimal("5000000"), currency="JPY")

    text = browser.get(chosen(browser, *rubles, yen)).content.decode()

    assert "Approve 3 payouts" in text
    assert "300,000.20\u00a0RUB" in text
    assert "5,000,000\u00a0JPY" in text
    assert not Approval.objects.exists()


def test_confirming_approves_and_the_result_page_says_so(browser: Client, approver: User) -> None:
    payouts = [recipes.awaiting_payout() for _each in range(2)]
    own = recipes.awaiting_payout(maker=approver)
    address = chosen(browser, *payouts, own)

    answer = browser.post(address, REASON, follow=True)

    text = answer.content.decode()
    assert answer.redirect_chain == [(address, 302)]
    assert "500,000.00\u00a0RUB" in text
    assert "You made this payout, so another person must decide on it." in text
    assert {event.payout_id for event in Event.objects.filter(event=EventName.APPROVED)} == {
        payout.pk for payout in payouts
    }


def test_the_page_tells_before_who_is_left_out_and_why(browser: Client, approver: User) -> None:
    own = recipes.awaiting_payout(maker=approver)

    text = browser.get(chosen(browser, own)).content.decode()

    assert "None of the chosen payouts can be decided this way" in text
    assert "You made this payout, so another person must decide on it." in text
    assert 'name="reason"' not in text


def test_what_changed_since_is_named_before_it_is_confirmed(browser: Client) -> None:
    changed, same = recipes.awaiting_payout(), recipes.awaiting_payout()
    address = chosen(browser, changed, same)
    actions.hold(changed.pk, by=recipes.person.make(), reason="Wait.")

    text = browser.get(address).content.decode()

    assert "Approve 1 payout" in text
    assert "It has changed since you chose it" in text


def test_a_reason_is_required(browser: Client) -> None:
    payout = recipes.awaiting_payout()

    answer = browser.post(chosen(browser, payout), {"reason": "  "})

    assert "This field is required." in answer.content.decode()
    assert not Approval.objects.exists()


def test_a_second_confirmation_does_nothing_twice(browser: Client) -> None:
    payout = recipes.awaiting_payout(amount=recipes.TWO_APPROVALS)
    address = chosen(browser, payout)

    for _each in range(2):
        assert browser.post(address, REASON, follow=True).status_code == 200

    assert Approval.objects.count() == 1
    assert Payout.objects.get(pk=payout.pk).version == payout.version + 1


def test_a_result_survives_a_reload_and_offers_the_failed_again(browser: Client) -> None:
    payout = recipes.awaiting_payout()
    address = chosen(browser, payout)
    actions.schedule(payout.pk, by=recipes.person.make(), scheduled_for=None)
    browser.post(address, REASON)

    text = browser.get(address).content.decode()
    anew = browser.post(f"{address}again/")

    assert "has changed since you saw it" in text
    assert "Try the failed ones again" in text
    assert anew.headers["Location"] != address
    browser.post(anew.headers["Location"], REASON)
    assert Payout.objects.get(pk=payout.pk).is_approved


def test_after_half_an_hour_the_page_confirms_nothing(browser: Client) -> None:
    payout = recipes.awaiting_payout()
    address = chosen(browser, payout)
    BulkDecision.objects.update(created_at=timezone.now() - timedelta(minutes=31))

    shown, done = browser.get(address), browser.post(address, REASON)

    assert "Half an hour has passed" in shown.content.decode()
    assert 'name="reason"' not in shown.content.decode()
    assert "Half an hour has passed" in done.content.decode()
    assert not Approval.objects.exists()


@pytest.mark.parametrize("group", ["Operator", "Approver", "Auditor", "Admin"])
@pytest.mark.parametrize("verb", PERMITTED)
def test_each_verb_needs_its_permission_at_every_step(verb: str, group: str, in_group: Any) -> None:
    payout = MAKE[verb]()
    user = in_group(group)
    browser = as_user(user)

    answer = browser.post(BULK, {"verb": verb, "chosen": [payout.pk]})

    if group in PERMITTED[verb]:
        address = answer.headers["Location"]
        user.groups.clear()
        assert browser.get(address).status_code == 403
        assert browser.post(address, REASON).status_code == 403
        assert browser.post(f"{address}again/").status_code == 403
    else:
        assert answer.status_code == 403
        assert not BulkDecision.objects.exists()
    assert Payout.objects.get(pk=payout.pk).version == payout.version


@pytest.mark.parametrize("verb", PERMITTED)
def test_each_verb_does_its_work(verb: str, as_group: Any) -> None:
    payout = MAKE[verb]()
    browser = as_group("Admin")

    answer = browser.post(chosen(browser, payout, verb=verb), REASON, follow=True)

    assert answer.status_code == 200
    assert Payout.objects.get(pk=payout.pk).version == payout.version + 1


def test_anothers_decision_cannot_be_seen_or_confirmed(browser: Client, as_group: Any) -> None:
    payout = recipes.awaiting_payout()
    address = chosen(browser, payout)
    other = as_group("Approver")

    assert other.get(address).status_code == 404
    assert other.post(address, REASON).status_code == 404
    assert other.post(f"{address}again/").status_code == 404
    assert not Approval.objects.exists()


@pytest.mark.parametrize("form", [{}, {"chosen": ["x", "-1", "9" * 30, "٣"]}, {"chosen": ["999999"]}])
def test_nothing_to_decide_on_is_told_where_one_came_from(form: dict[str, Any], browser: Client) -> None:
    answer = browser.post(BULK, {"verb": "approve", "back": f"{LIST}?stage=held", **form}, follow=True)

    assert answer.redirect_chain == [(f"{LIST}?stage=held", 302)]
    assert "Choose at least one payout." in answer.content.decode()


def test_the_way_back_leads_to_our_own_pages_only(browser: Client) -> None:
    for back in ("https://elsewhere.example/", "//elsewhere.example/", "javascript:alert(1)"):
        assert browser.post(BULK, {"verb": "approve", "back": back}).headers["Location"] == LIST


def test_an_unknown_verb_and_a_get_are_refused(browser: Client) -> None:
    assert browser.post(BULK, {"verb": "settle"}).status_code == 404
    assert browser.get(BULK).status_code == 405


def test_all_that_the_filter_finds_can_be_chosen(browser: Client) -> None:
    found = [recipes.awaiting_payout() for _each in range(3)]
    recipes.held_payout()

    answer = browser.post(f"{BULK}?stage=awaiting_approval&amount_from=1000", {"verb": "approve", "every": "1"})

    bulk = BulkDecision.objects.get()
    assert answer.headers["Location"] == f"{BULK}{bulk.pk}/"
    assert set(bulk.items.values_list("payout_id", flat=True)) == {payout.pk for payout in found}


def test_a_filter_that_cannot_be_read_chooses_nothing(browser: Client) -> None:
    recipes.awaiting_payout()

    browser.post(f"{BULK}?amount_from=nonsense", {"verb": "approve", "every": "1"})

    assert not BulkDecision.objects.exists()


def test_more_than_the_limit_is_refused(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payouts.actions.bulk.ITEMS_LIMIT", 2)
    for _each in range(3):
        recipes.awaiting_payout()

    answer = browser.post(f"{BULK}?stage=awaiting_approval", {"verb": "approve", "every": "1"}, follow=True)

    assert "At most 2 payouts can be decided at once." in answer.content.decode()
    assert not BulkDecision.objects.exists()


def test_the_bar_offers_what_the_person_may_do_in_the_queue(as_group: Any) -> None:
    recipes.awaiting_payout(), recipes.failed_payout()

    def offers(group: str, stage: str) -> set[str]:
        text = as_group(group).get(LIST, {"stage": stage}).content.decode()
        return {verb for verb in PERMITTED if f'name="verb" value="{verb}"' in text}

    assert offers("Approver", "awaiting_approval") == {"approve", "hold"}
    assert offers("Operator", "awaiting_approval") == {"hold", "cancel"}
    assert offers("Operator", "failed") == {"retry"}
    assert offers("Auditor", "failed") == set()


def test_a_rows_checkbox_carries_its_exact_amount_and_a_label(browser: Client) -> None:
    payout = recipes.awaiting_payout(amount=Decimal("250000.10"))

    text = browser.get(LIST).content.decode()

    assert f'value="{payout.pk}" data-amount="250000.1' in text
    assert 'data-currency="RUB" data-decimals="2"' in text
    assert f'aria-label="Select payout {payout.pk}, 250,000.10\u00a0RUB"' in text
