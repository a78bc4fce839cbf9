"""The adapter with a stub of YooKassa behind it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from payouts.providers.yookassa.client import YooKassaProvider
from tests.payouts.providers.yookassa.objects import GATEWAY_ID, SECRET
from tests.payouts.providers.yookassa.stub import Stub, running


@pytest.fixture
def stub() -> Iterator[Stub]:
    with running() as stub:
        yield stub


@pytest.fixture
def adapter() -> Iterator[Callable[..., YooKassaProvider]]:
    """Make an adapter for a URL; its connection is closed in the end."""
    made: list[YooKassaProvider] = []

    def make(url: str, **options: Any) -> YooKassaProvider:
        made.append(
            YooKassaProvider(**({"name": "main", "gateway_id": GATEWAY_ID, "secret": SECRET} | options), url=url)
        )
        return made[-1]

    yield make
    for each in made:
        each.close()
