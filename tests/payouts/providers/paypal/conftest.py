"""The adapter with a stub of PayPal behind it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from payouts.providers.paypal.api import shared_api
from payouts.providers.paypal.client import PayPalProvider
from tests.payouts.providers.paypal.objects import app
from tests.payouts.providers.paypal.stub import Stub, running


@pytest.fixture(autouse=True)
def _new_process() -> None:
    """No token of another test, whose server may have had the same port."""
    shared_api.cache_clear()


@pytest.fixture
def stub() -> Iterator[Stub]:
    with running() as stub:
        yield stub


@pytest.fixture
def adapter() -> Iterator[Callable[..., PayPalProvider]]:
    """Make an adapter for a URL; its connection is closed in the end."""
    made: list[PayPalProvider] = []

    def make(url: str, **changes: Any) -> PayPalProvider:
        made.append(PayPalProvider(app(url, **changes), name="main"))
        return made[-1]

    yield make
    for each in made:
        each.close()
