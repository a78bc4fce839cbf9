"""Playwright in a thread of its own.

Its sync API keeps an event loop in the thread that started it, between calls too, and Django gives a thread with a
loop other database connections than the tests', or none. So everything of Playwright's lives in one thread aside, and
tests hold stand-ins: what is called on one is done there, and what comes back is a stand-in again if it is
Playwright's. Listeners are called in that thread.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from playwright import sync_api
from playwright.sync_api import Browser

from tests.browser import chromium


class StandIn:
    """For an object of Playwright's, or a method of one."""

    def __init__(self, thread: ThreadPoolExecutor, real: Any) -> None:
        self._thread = thread
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return self._done(getattr, self._real, name)

    def __call__(self, *args: Any, **given: Any) -> Any:
        return self._done(self._real, *map(_real, args), **{name: _real(value) for name, value in given.items()})

    def __enter__(self) -> Any:
        return self._done(self._real.__enter__)

    def __exit__(self, *raised: Any) -> Any:
        return self._done(self._real.__exit__, *raised)

    def __repr__(self) -> str:
        return repr(self._real)

    def _done(self, act: Callable[..., Any], *args: Any, **given: Any) -> Any:
        return self._shown(self._thread.submit(act, *args, **given).result())

    def _shown(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._shown(each) for each in value]
        is_theirs = type(value).__module__.startswith("playwright.") or callable(value)
        return StandIn(self._thread, value) if is_theirs else value


def expect(actual: Any) -> Any:
    """Playwright's own, of a stand-in."""
    assert isinstance(actual, StandIn)
    return actual._done(sync_api.expect, actual._real)


@contextmanager
def browser(executable: str) -> Iterator[Browser]:
    with ThreadPoolExecutor(1, "playwright") as thread:
        playwright = thread.submit(sync_api.sync_playwright().start).result()
        sync_api.expect.set_options(timeout=chromium.PATIENCE_MILLISECONDS)
        try:
            started: Any = StandIn(thread, playwright)._done(chromium.launched, playwright, executable)
            yield started
            started.close()
        finally:
            thread.submit(playwright.stop).result()


def _real(value: Any) -> Any:
    return value._real if isinstance(value, StandIn) else value
