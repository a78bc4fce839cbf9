"""What people see where there is a standby: lists from it, decisions and their own changes from the primary."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import DEFAULT_DB_ALIAS, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from payouts.database.replica import NEVER_REACHED, REPLICA
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.urls import dialog
from tests.standby import Follower, needs_standby

pytestmark = needs_standby

LIST = "/admin/payouts/payout/"
REJECTED = "?stage=rejected"


@contextmanager
def asked(alias: str) -> Iterator[list[str]]:
    """The statements that went to this database."""
    with CaptureQueriesContext(connections[alias]) as captured:
        found: list[str] = []
        yield found
        found += [each["sql"] for each in captured.captured_queries]


def of(statements: list[str], table: str) -> list[str]:
    return [each for each in statements if f'FROM "{table}"' in each]


@pytest.fixture
def auditor_browser(in_group: Callable[[str], User]) -> Client:
    return as_user(in_group("Auditor"))


@pytest.mark.parametrize(
    ("address", "table"),
    [
        (LIST, "payouts_payout"),
        (f"{LIST}?q=1", "payouts_payout"),
        (f"{LIST}?created_from=2026-01-01&stage=processed", "payouts_payout"),
        ("/admin/payouts/batch/", "payouts_batch"),
        ("/admin/payouts/providerreport/", "payouts_providerreport"),
    ],
)
def test_a_list_is_read_from_the_standby(
    follower: Follower, auditor_browser: Client, address: str, table: str
) -> None:
    recipes.pending_payout()
    auditor_browser.get(address)  # counts that all pages share are kept from now on
    follower.catch_up()

    with asked(REPLICA) as there, asked(DEFAULT_DB_ALIAS) as here:
        answer = auditor_browser.get(address)

    assert answer.status_code == 200
    assert of(there, table)
    assert not of(here, table)


def test_a_list_with_which_one_decides_is_read_from_the_primary(
    follower: Follower, in_group: Callable[[str], User]
) -> None:
    payout = recipes.awaiting_payout()
    browser = as_user(in_group("Approver"))
    follower.pause()

    with asked(REPLICA) as there:
        page = browser.get(f"{LIST}?stage=awaiting_approval").content.decode()

    assert f'value="{payout.pk}' in page
    assert there == []


def test_a_page_with_the_buttons_is_read_from_the_primary(
    follower: Follower, in_group: Callable[[str], User]
) -> None:
    follower.pause()
    payout = recipes.awaiting_payout()
    browser = as_user(in_group("Approver"))

    with asked(REPLICA) as there:
        answer = browser.get(f"{LIST}{payout.pk}/change/")

    assert (answer.status_code, there) == (200, [])


def test_who_has_acted_sees_it_and_others_soon_do(follower: Follower, in_group: Callable[[str], User]) -> None:
    """By its age alone the standby would do: the list lacked what the approver had refused a moment before."""
    payout = recipes.awaiting_payout()
    approver, other = as_user(in_group("Approver")), as_user(in_group("Auditor"))
    follower.catch_up()
    follower.pause()

    answer = approver.post(dialog(payout, "reject"), {"reason": "Not ours", "version": payout.version})
    cookie = answer.cookies[settings.WRITTEN_COOKIE_NAME]

    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert payout.pk in shown(approver, REJECTED)
    assert payout.pk not in shown(other, REJECTED)

    follower.resume()

    with asked(REPLICA) as there:
        assert payout.pk in shown(approver, REJECTED)
        assert payout.pk in shown(other, REJECTED)
    assert of(there, "payouts_payout")


def test_what_a_browser_makes_up_shows_it_the_primary(follower: Follower, auditor_browser: Client) -> None:
    for text in ("", "x", "-1", "1" * 21, "²", str(NEVER_REACHED)):
        auditor_browser.cookies[settings.WRITTEN_COOKIE_NAME] = text

        with asked(REPLICA) as there:
            assert auditor_browser.get(LIST).status_code == 200

        assert not of(there, "payouts_payout"), text


def test_a_standby_that_breaks_off_costs_nobody_a_page(follower: Follower, auditor_browser: Client) -> None:
    payout = recipes.pending_payout()
    follower.point_to(1)

    answer = auditor_browser.get(LIST)

    assert answer.status_code == 200
    assert f"{LIST}{payout.pk}/" in answer.content.decode()


def shown(browser: Client, query: str) -> list[int]:
    answer: Any = browser.get(f"{LIST}{query}")
    return [payout.pk for payout in answer.context["cl"].result_list]


def test_a_look_changes_nothing_and_is_not_remembered(follower: Follower, auditor_browser: Client) -> None:
    assert settings.WRITTEN_COOKIE_NAME not in auditor_browser.get(LIST).cookies
