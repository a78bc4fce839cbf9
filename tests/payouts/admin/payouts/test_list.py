"""The payouts list: finding, filtering, counting, and what it costs."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from payouts import actions
from payouts.admin.kit.paginator import CappedPaginator
from payouts.admin.payouts import queues
from payouts.admin.payouts.filters import read_date
from payouts.models import Attempt, Payout
from tests import recipes
from tests.payouts.admin.urls import LIST, page

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(as_group: Any) -> Client:
    found: Client = as_group("Operator")
    return found


def listed(browser: Client, **query: Any) -> list[int]:
    answer = browser.get(LIST, query)
    assert answer.status_code == 200
    return [payout.pk for payout in answer.context["cl"].result_list]


def test_the_list_shows_amounts_recipients_and_stages(browser: Client) -> None:
    payout = recipes.awaiting_payout(
        currency="JPY", amount=Decimal("1250000"), recipient={"name": "Yuki", "card": "4111111111111111"}
    )

    text = browser.get(LIST).content.decode()

    assert f">{payout.pk}<" in text
    assert "1,250,000\u00a0JPY" in text
    assert "Awaiting approval" in text
    assert "Yuki" in text
    assert "1111 1111" not in text


def test_newest_come_first(browser: Client) -> None:
    made = [recipes.pending_payout().pk for _ in range(3)]

    assert listed(browser) == made[::-1]


def test_the_search_finds_by_every_exact_name(browser: Client) -> None:
    payout = recipes.pending_payout(client=(client := recipes.client.make()), idempotency_key="Order-77/A")
    sent = recipes.processed_payout(client=client, user_id=7)
    attempt = Attempt.objects.get(payout=sent)

    assert listed(browser, q=str(payout.pk)) == [payout.pk]
    assert listed(browser, q=f"#{payout.pk}") == [payout.pk]
    assert listed(browser, q=str(payout.reference)) == [payout.pk]
    assert listed(browser, q=str(payout.reference).upper()[:9]) == [payout.pk]
    assert listed(browser, q=payout.reference.hex[:12]) == [payout.pk]
    assert listed(browser, q="Order-77/A") == [payout.pk]
    assert listed(browser, q=attempt.provider_id) == [sent.pk]
    assert listed(browser, q=str(attempt.reference)) == [sent.pk]


@pytest.mark.parametrize(
    "term", ["rder-77", "nothing", "0", "-1", "9" * 30, "%", "'", "\x00", "٣", "²", "-" * 12, "f" * 40, "x" * 400]
)
def test_a_term_without_a_match_gives_an_empty_list(term: str, browser: Client) -> None:
    recipes.pending_payout(client=recipes.client.make(), idempotency_key="Order-77/A")

    assert listed(browser, q=term) == []


def test_the_search_looks_past_the_chosen_tab(browser: Client) -> None:
    recipes.pending_payout()

    text = browser.get(LIST, {"stage": "held"}).content.decode()

    form = text[text.index('id="changelist-search"') :].split("</form>")[0]
    assert 'name="stage"' not in form


def test_stages_filter_as_the_model_says(browser: Client) -> None:
    held, waiting, paid = recipes.held_payout(), recipes.awaiting_payout(), recipes.processed_payout()

    assert listed(browser, stage="held") == [held.pk]
    assert listed(browser, stage="awaiting_approval") == [waiting.pk]
    assert listed(browser, stage="processed") == [paid.pk]


def test_a_single_day_holds_its_payouts(browser: Client) -> None:
    payout = recipes.pending_payout()
    today = timezone.localdate()

    assert listed(browser, created_from=today, created_to=today) == [payout.pk]
    assert listed(browser, created_from=f"{today:%d.%m.%Y}", created_to=f"{today:%d.%m.%Y}") == [payout.pk]
    assert listed(browser, created_from=today + timedelta(days=1)) == []
    assert listed(browser, created_to=today - timedelta(days=1)) == []


def test_amounts_and_currencies_narrow_the_list(browser: Client) -> None:
    small, large = recipes.pending_payout(amount=Decimal("10.00")), recipes.pending_payout(amount=Decimal("1000.50"))
    euro = recipes.pending_payout(amount=Decimal("10.00"), currency="EUR")

    assert listed(browser, amount_from="1 000,50") == [large.pk]
    assert listed(browser, amount_to="10") == [euro.pk, small.pk]
    assert listed(browser, currency="EUR") == [euro.pk]
    assert listed(browser, currency="KWD") == []


def test_a_day_long_ago_is_found_among_others(browser: Client) -> None:
    old, day, later, new = (recipes.pending_payout() for _each in range(4))
    now = timezone.now()
    for payout, days_ago in ((old, 70), (day, 65), (later, 10)):
        Payout.objects.filter(pk=payout.pk).update(created_at=now - timedelta(days=days_ago))

    wanted = (now - timedelta(days=65)).date()

    assert listed(browser, created_from=wanted, created_to=wanted) == [day.pk]
    assert listed(browser, created_from=wanted) == [new.pk, later.pk, day.pk]
    assert listed(browser, created_to=wanted) == [day.pk, old.pk]
    assert listed(browser, created_from=now.date() - timedelta(days=50)) == [new.pk, later.pk]


@pytest.mark.parametrize(
    "query",
    [
        {"created_from": "yesterday"},
        {"created_to": "2026-02-30"},
        {"created_to": "9999-12-31"},
        {"created_from": "0000-01-01"},
        {"created_from": "31.31.2026"},
        {"amount_from": "1,000"},
        {"amount_to": "NaN"},
        {"amount_from": "1e400"},
        {"amount_from": "-5"},
        {"amount_to": "9" * 40},
        {"currency": "rub' OR 1=1"},
        {"stage": "nowhere"},
        {"currency": "\x00"},
    ],
)
def test_a_bad_value_shows_no_payout_and_says_so(query: dict[str, str], browser: Client) -> None:
    recipes.pending_payout()

    answer = browser.get(LIST, query)

    assert list(answer.context["cl"].result_list) == []
    assert "cannot be read" in answer.content.decode()


def test_dates_are_read_as_people_write_them() -> None:
    assert str(read_date("22.11.2026")) == "2026-11-22"


def test_the_list_costs_the_same_queries_for_one_row_and_for_many(
    browser: Client, django_assert_num_queries: Any
) -> None:
    recipes.pending_payout()
    browser.get(LIST)

    with django_assert_num_queries(9):
        browser.get(LIST)
    for _ in range(8):
        recipes.held_payout(maker=recipes.person.make(), client=recipes.client.make())
    browser.get(LIST)  # the menu keeps its counts for seconds only
    with django_assert_num_queries(9):
        browser.get(LIST)


def test_the_count_ends_at_its_limit(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CappedPaginator, "LIMIT", 2)
    for _ in range(4):
        recipes.pending_payout()

    answer = browser.get(LIST)

    assert answer.context["cl"].result_count == 2
    assert "2+ payouts" in answer.content.decode()


def test_the_whole_table_is_never_counted(browser: Client, django_assert_num_queries: Any) -> None:
    recipes.pending_payout()

    with django_assert_num_queries(22, exact=False) as queries:
        browser.get(LIST)

    counts = [query["sql"] for query in queries.captured_queries if "COUNT(" in query["sql"]]
    assert counts
    assert all("LIMIT" in sql for sql in counts)


def test_tabs_count_what_is_open_and_only_for_a_moment_from_the_cache(browser: Client) -> None:
    recipes.awaiting_payout()
    browser.get(LIST)
    recipes.awaiting_payout()

    before = queues.counts()["awaiting_approval"]
    cache.clear()

    assert before == 1
    assert queues.counts()["awaiting_approval"] == 2


def test_the_list_works_while_the_cache_is_down(browser: Client, settings: Any) -> None:
    recipes.awaiting_payout()
    settings.CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": "redis://127.0.0.1:9/0",
            "OPTIONS": {"IGNORE_EXCEPTIONS": True, "SOCKET_CONNECT_TIMEOUT": 0.2},
        }
    }

    assert browser.get(LIST).status_code == 200


def test_a_full_card_number_is_on_no_page(as_group: Any, caplog: pytest.LogCaptureFixture) -> None:
    canary = "4929 1234 5678 9013"
    payout = recipes.failed_payout(
        recipient={"name": "Canary", "card": canary, "note": {"other": canary.replace(" ", "")}}
    )
    actions.retry(payout.pk, by=recipes.person.make(), reason="Again.")
    browser = as_group("Admin")

    for path in (LIST, page(payout), "/admin/", f"/admin/search/?s={payout.pk}", f"{LIST}?q={payout.pk}"):
        text = browser.get(path).content.decode()
        assert "9123" not in text.replace(" ", "")
        assert canary not in text
        assert canary.replace(" ", "") not in text


def test_the_command_search_finds_exactly_and_shows_no_recipient(as_group: Any) -> None:
    payout = recipes.pending_payout(client=recipes.client.make(), idempotency_key="Order-9-B")
    browser = as_group("Auditor")

    for term in (str(payout.pk), str(payout.reference)[:10], "Order-9-B"):
        text = browser.get("/admin/search/", {"s": term}).content.decode()
        assert page(payout) in text
    assert "Петров" not in text
    assert page(payout) not in browser.get("/admin/search/", {"s": "Order-9"}).content.decode()


def test_the_start_page_leads_to_the_open_queues(as_group: Any) -> None:
    recipes.awaiting_payout()

    text = as_group("Operator").get("/admin/").content.decode()

    assert f"{LIST}?stage=awaiting_approval" in text
    assert "oldest: under 1 min" in text


def test_the_start_page_is_empty_for_who_may_not_see_payouts() -> None:
    from tests.payouts.admin.conftest import as_user

    recipes.awaiting_payout()

    text = as_user(recipes.person.make()).get("/admin/").content.decode()

    assert "may not see payouts" in text
    assert "stage=awaiting_approval" not in text


def test_a_payouts_page_costs_a_bounded_number_of_queries(
    browser: Client, django_assert_max_num_queries: Any
) -> None:
    payout = recipes.failed_payout()
    for _ in range(5):
        actions.reveal(payout.pk, by=recipes.person.make(), reason="Look.")

    with django_assert_max_num_queries(21):
        answer = browser.get(page(payout))

    assert answer.status_code == 200
    assert Payout.objects.get(pk=payout.pk).version == 8


def test_counts_that_another_version_of_the_product_cached_are_not_read(db: None) -> None:
    cache.set("admin:stages", {stage.value: (0, None) for stage in queues.OPEN_STAGES}, 15)

    titles = {tab["title"] for tab in queues.tabs("")}

    assert len(titles) == len(queues.OPEN_STAGES) + 3  # all, what needs attention, and processed
