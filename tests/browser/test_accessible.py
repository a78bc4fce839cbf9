"""Axe on every screen, light and dark, and what the frame around every screen says in each language."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.management import call_command
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer
from pytest_django.plugin import DjangoDbBlocker

from tests.browser import rows, visit
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
