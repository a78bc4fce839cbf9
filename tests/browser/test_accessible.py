"""Axe on every screen, light and dark, and what the frame around every screen says in each language."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.contrib import admin
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page
from pytest_django.live_server_helper import LiveServer
from pytest_django.plugin import DjangoDbBlocker

from tests.browser import rows, visit
from tests.browser.screens import SCREENS, Screen
from tests.browser.watch import Watch
from tests.databases import Database

pytestmark = pytest.mark.django_db

SERIOUS = {"serious", "critical"}


type Look = Callable[[Screen], Page]


@pytest.fixture(scope="module")
def session(server: LiveServer, database: Database, django_db_blocker: DjangoDbBlocker) -> Iterator[Any]:
    """Of one who sees every screen. The rows are made once for the module, whose tests look and change nothing."""
    with django_db_blocker.unblock():
        try:
            yield visit.session(rows.everything(), server.url)
        finally:
            database.put_back()


@pytest.fixture(scope="module")
def watching(server: LiveServer) -> Watch:
    return Watch(server.url)


@pytest.fixture(scope="module")
def contexts(
    browser: Browser, server: LiveServer, session: Any, watching: Watch
) -> Iterator[dict[bool, BrowserContext]]:
    """For nobody and for the one who sees everything, kept for the module: the frame's files are fetched once."""
    made = {
        is_nobody: visit.context(browser, server.url, session=None if is_nobody else session)
        for is_nobody in (False, True)
    }
    for context in made.values():
        watching.over(context)
        visit.hold_still(context)
    yield made
    for context in made.values():
        context.close()


@pytest.fixture
def look(contexts: dict[bool, BrowserContext], watching: Watch) -> Iterator[Look]:
    """Open a screen, which is watched, and make axe ready on it."""
    watching.faults.clear()
    pages = []

    def opened(screen: Screen) -> Page:
        page: Page = contexts[screen.for_nobody].new_page()
        pages.append(page)
        screen.open(page)
        page.evaluate(AXE_SCRIPT)
        return page

    yield opened
    for page in pages:
        page.close()
    assert watching.faults == []


def violations(page: Page, **options: Any) -> list[str]:
    found = page.evaluate(
        "options => axe.run(options).then(results => results.violations)", {"resultTypes": ["violations"]} | options
    )
    return [
        f"{each['id']} at {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for each in found
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("name", SCREENS)
def test_axe_finds_nothing_serious(name: str, look: Look) -> None:
    page = look(SCREENS[name])

    in_light = violations(page)
    page.evaluate("document.documentElement.className = 'dark'")
    in_dark = violations(page, runOnly=["color-contrast"])

    assert (in_light, in_dark) == ([], [])


# The server writes the frame, so no browser is needed; that of a dialog and of a payout's other stage is the same.
@pytest.mark.parametrize("name", [name for name in SCREENS if not name.startswith(("dialog", "payout "))])
def test_a_screen_says_its_language_and_its_zone(name: str, session: Any) -> None:
    screen = SCREENS[name]
    client = Client(headers={"accept-language": "ru"})
    if not screen.for_nobody:
        client.cookies[session["name"]] = session["value"]

    text = client.get(screen.address()).content.decode()

    title = re.search("<title>(.*?)</title>", text, re.DOTALL)
    assert '<html lang="ru"' in text
    assert title
    assert re.search("[а-яё]", title[1], re.IGNORECASE), title[1]
    assert text.count("<main") == 1
    if not (screen.for_nobody or name.startswith("second factor")):
        assert "UTC" in text[text.index('class="po-zone"') :][:60]


def test_every_list_of_the_admin_is_among_the_screens() -> None:
    lists = {f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist" for model in admin.site._registry}

    assert lists - {screen.address.view for screen in SCREENS.values()} == set()
