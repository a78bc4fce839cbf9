"""Axe on every screen, light and dark, and what the frame around every screen says in each language."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib import admin
from django.core.management import call_command
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer
from pytest_django.plugin import DjangoDbBlocker

from tests.browser import rows, visit
from tests.browser.aside import expect
from tests.browser.conftest import Enter
from tests.browser.screens import SCREENS

pytestmark = pytest.mark.django_db

SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="module")
def session(server: LiveServer, django_db_blocker: DjangoDbBlocker) -> Iterator[Any]:
    """Of one who sees every screen. The rows are made once for the module, whose tests look and change nothing."""
    with django_db_blocker.unblock():
        yield visit.session(rows.everything(), server.url)
        call_command("flush", interactive=False, verbosity=0)


def violations(page: Page, **options: Any) -> list[str]:
    found = Axe().run(page, options={"resultTypes": ["violations"]} | options).response["violations"]
    return [
        f"{each['id']} at {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for each in found
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("name", SCREENS)
def test_axe_finds_nothing_serious(name: str, session: Any, enter: Enter) -> None:
    screen = SCREENS[name]
    page = enter(session=None if screen.for_nobody else session)

    screen.open(page)
    in_light = violations(page)
    page.emulate_media(color_scheme="dark")
    page.evaluate("localStorage.setItem('adminTheme', '\"dark\"'); document.documentElement.className = 'dark'")
    in_dark = violations(page, runOnly=["color-contrast"])

    assert (in_light, in_dark) == ([], [])


@pytest.mark.parametrize("name", [name for name in SCREENS if not name.startswith(("dialog", "payout "))])
def test_a_screen_says_its_language_and_its_zone(name: str, session: Any, enter: Enter) -> None:
    screen = SCREENS[name]
    page = enter(session=None if screen.for_nobody else session, language="ru")

    screen.open(page)

    assert page.evaluate("document.documentElement.lang") == "ru"
    assert re.search("[а-яё]", page.title(), re.IGNORECASE), page.title()
    expect(page.get_by_role("main")).to_have_count(1)
    if not screen.for_nobody:
        assert "UTC" in page.get_by_role("main").locator("xpath=..").inner_text()


def test_every_list_of_the_admin_is_among_the_screens() -> None:
    lists = {f"{model._meta.app_label}_{model._meta.model_name}_changelist" for model in admin.site._registry}

    assert lists - {screen.address.view for screen in SCREENS.values()} == set()
