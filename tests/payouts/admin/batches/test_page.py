"""A batch's page: its rows by what was found, and what became of them."""

from typing import Any

import pytest

from tests import recipes
from tests.payouts.admin.batches.acts import WRONG_ROW, page
from tests.recipes import BATCH_ROW, checked_batch, submitted_batch

pytestmark = pytest.mark.django_db


def test_rows_are_paged_and_chosen_by_what_was_found(as_group: Any) -> None:
    batch = checked_batch(*recipes.batch_rows(70), BATCH_ROW, BATCH_ROW, *[WRONG_ROW] * 60)
    browser = as_group("Auditor")

    errors, more = page(browser, batch), page(browser, batch, "?show=errors&page=2")
    repeated, every = page(browser, batch, "?show=repeated"), page(browser, batch, "?show=all&page=3")
    nothing = page(browser, batch, "?show=stage-lost")

    assert (errors.count('class="po-fault"'), more.count('class="po-fault"')) == (50, 10)
    assert "same as line 72" in repeated
    assert "Page 3 of 3" in every
    assert "There is no such row." in nothing


def test_the_result_tells_sums_by_stage_and_leads_to_the_rows(as_group: Any) -> None:
    batch = submitted_batch(*recipes.batch_rows(3), "9;2000000;RUB;card;4111111111111111;;;")
    recipes.awaiting_payout()  # another's

    text = page(as_group("Auditor"), batch)
    ready = page(as_group("Auditor"), batch, "?show=stage-ready")

    assert "750,006.00\u00a0RUB" in text
    assert "2,000,000.00\u00a0RUB" in text
    assert ready.count('class="po-row-found"') == 3


def test_a_page_costs_as_many_queries_for_many_rows_as_for_few(
    as_group: Any, django_assert_max_num_queries: Any
) -> None:
    batch = submitted_batch(*recipes.batch_rows(60), WRONG_ROW)
    browser = as_group("Approver")
    page(browser, batch)

    with django_assert_max_num_queries(30):
        page(browser, batch)
