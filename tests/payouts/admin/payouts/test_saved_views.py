"""The payouts list's chips and saved views."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from django.test import Client

from payouts.models import SavedView
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.urls import LIST

pytestmark = pytest.mark.django_db

VIEWS = f"{LIST}views/"


@pytest.fixture
def operator(in_group: Any) -> User:
    found: User = in_group("Operator")
    return found


@pytest.fixture
def browser(operator: User) -> Client:
    return as_user(operator)


def chips(browser: Client, query: str) -> dict[str, str]:
    answer = browser.get(f"{LIST}?{query}")
    return {chip["text"]: chip["query"] for chip in answer.context["chips"]}


def test_active_filters_are_told_in_words_and_can_be_removed_one_by_one(browser: Client) -> None:
    found = chips(browser, "stage=held&amount_from=1000&created_to=2026-11-22&currency=RUB&p=1")

    assert found == {
        "Stage: on hold": "?amount_from=1000&created_to=2026-11-22&currency=RUB",
        "Currency: RUB": "?stage=held&amount_from=1000&created_to=2026-11-22",
        "Amount from 1,000": "?stage=held&created_to=2026-11-22&currency=RUB",
        "Created to 22 Nov 2026": "?stage=held&amount_from=1000&currency=RUB",
    }


def test_clients_makers_and_flags_narrow_the_list(browser: Client) -> None:
    maker, client = recipes.person.make(), recipes.client.make()
    made, sent = recipes.pending_payout(maker=maker), recipes.pending_payout(client=client)
    odd = recipes.pending_payout(recipient={"card": "4111 1111 1111 1112"})

    def listed(**query: Any) -> list[int]:
        return [payout.pk for payout in browser.get(LIST, query).context["cl"].result_list]

    assert listed(maker=maker.pk) == [made.pk]
    assert listed(client=client.pk) == [sent.pk]
    assert listed(flag="card_checksum") == [odd.pk]
    assert odd.pk in listed(flag="any")
    assert listed(client="999999") == []


def test_a_view_is_saved_shown_and_deleted(browser: Client, operator: User) -> None:
    browser.post(VIEWS, {"name": "Large, held", "query": "stage=held&amount_from=1000&p=3"})
    view = SavedView.objects.get()

    text = browser.get(LIST).content.decode()

    assert (view.owner, view.query) == (operator, "amount_from=1000&stage=held")
    assert "Large, held" in text
    assert "?amount_from=1000&amp;stage=held" in text
    answer = browser.post(f"{VIEWS}{view.pk}/delete/")
    assert answer.headers["Location"] == f"{LIST}?amount_from=1000&stage=held"
    assert not SavedView.objects.exists()


def test_a_view_is_its_owners_alone(browser: Client, as_group: Any) -> None:
    browser.post(VIEWS, {"name": "Held ones", "query": "stage=held"})
    view = SavedView.objects.get()
    other = as_group("Operator")

    assert "Held ones" not in other.get(LIST).content.decode()
    assert other.post(f"{VIEWS}{view.pk}/delete/").status_code == 404
    assert SavedView.objects.exists()


def test_a_name_is_one_views_of_a_person(browser: Client, as_group: Any) -> None:
    browser.post(VIEWS, {"name": "Mine", "query": "stage=held"})

    again = browser.post(VIEWS, {"name": "Mine", "query": "stage=failed"}, follow=True)
    as_group("Operator").post(VIEWS, {"name": "Mine", "query": "stage=failed"})

    assert "already" in again.content.decode()
    assert sorted(SavedView.objects.values_list("query", flat=True)) == ["stage=failed", "stage=held"]


@pytest.mark.parametrize(
    "form",
    [
        {"name": "", "query": "stage=held"},
        {"name": "x" * 41, "query": "stage=held"},
        {"name": "Whole list", "query": ""},
        {"name": "Unknown", "query": "next=https://elsewhere.example&_popup=1"},
        {"name": "NUL", "query": "stage=%00"},
        {"name": "Long", "query": "q=" + "x" * 1500},
    ],
)
def test_a_view_without_a_name_or_a_filter_is_refused(form: dict[str, str], browser: Client) -> None:
    answer = browser.post(VIEWS, form)

    assert answer.status_code == 302
    assert not SavedView.objects.exists()


def test_a_person_has_at_most_twenty_views(browser: Client) -> None:
    for number in range(21):
        browser.post(VIEWS, {"name": f"View {number}", "query": "stage=held"})

    assert SavedView.objects.count() == 20


def test_views_are_changed_by_posts_of_those_who_see_payouts(browser: Client, operator: User) -> None:
    view = SavedView.objects.create(owner=operator, name="Mine", query="stage=held")

    assert browser.get(VIEWS).status_code == 405
    assert browser.get(f"{VIEWS}{view.pk}/delete/").status_code == 405
    operator.groups.clear()
    assert browser.post(VIEWS, {"name": "Other", "query": "stage=held"}).status_code == 403
    assert browser.post(f"{VIEWS}{view.pk}/delete/").status_code == 403
    assert SavedView.objects.count() == 1


def test_the_filters_open_by_a_button(browser: Client) -> None:
    text = browser.get(LIST).content.decode()

    button = text[text.index("filter-open-button") - 200 : text.index("filter-open-button")]
    assert '<button type="button"' in button


def test_a_lists_title_names_what_it_lists(browser: Client) -> None:
    assert "<title> Payouts | Payouts</title>" in browser.get(LIST).content.decode()


def test_a_saved_view_keeps_every_filter_of_the_list(browser: Client) -> None:
    specs = browser.get(LIST).context["cl"].filter_specs
    names = {name for spec in specs for name in spec.expected_parameters()}

    browser.post(VIEWS, {"name": "all", "query": "&".join(f"{name}=1" for name in names)})

    kept = QueryDict(SavedView.objects.get().query)
    assert len(specs) == 9
    assert set(kept) == names
