"""One Chromium, a server in this process, and people's browsers that are watched all the time."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from tests.browser import aside, chromium, visit
from tests.browser.watch import Watch

type Enter = Callable[..., Page]

_executable: str | chromium.NoChromiumError = ""


def pytest_collection_finish(session: pytest.Session) -> None:
    """Find or install the browser before the clock of the first test runs."""
    global _executable
    is_needed = any("tests/browser" in item.nodeid for item in session.items)
    if is_needed and not session.config.option.collectonly:
        try:
            _executable = chromium.path()
        except chromium.NoChromiumError as error:
            _executable = error


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if isinstance(_executable, chromium.NoChromiumError):
        pytest.fail(str(_executable), pytrace=False)
    with aside.browser(_executable) as started:
        yield started


@pytest.fixture(scope="session")
def server(django_db_setup: None) -> Iterator[LiveServer]:
    """Its threads see what is committed: rows for it are made under `transactional_db`, or by a module's fixture."""
    started = LiveServer("127.0.0.1")
    yield started
    started.stop()


@pytest.fixture
def watch(server: LiveServer) -> Iterator[Watch]:
    watching = Watch(server.url)
    yield watching
    assert watching.faults == []


@pytest.fixture
def enter(browser: Browser, server: LiveServer, watch: Watch) -> Iterator[Enter]:
    """Open a browser of its own for a person who is logged in, or for nobody."""
    contexts = []

    def opened(user: User | None = None, **options: Any) -> Page:
        if user is not None:
            options["session"] = visit.session(user, server.url)
        context = visit.context(browser, server.url, **options)
        contexts.append(context)
        watch.over(context)
        return context.new_page()

    yield opened
    for context in contexts:
        context.close()
