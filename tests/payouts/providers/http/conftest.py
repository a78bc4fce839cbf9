"""One call of the adapter."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from payouts.providers import Answer
from payouts.providers.http.client import HttpProvider
from tests.payouts.providers.http.faults import FaultServer
from tests.payouts.providers.programs import TOKEN, instruction, soon


@pytest.fixture
def call() -> Iterator[Callable[..., Answer]]:
    """Make one call to a server, and close its connection in the end."""
    adapters: list[HttpProvider] = []

    def make(server: FaultServer, operation: str = "pay", *, seconds: float = 20.0, **options: Any) -> Answer:
        adapter = HttpProvider(server.url, TOKEN, tls=options.pop("tls", None))
        adapters.append(adapter)
        attempt = options.pop("attempt", None) or instruction()
        answer: Answer = getattr(adapter, operation)(attempt, deadline=soon(seconds))
        return answer

    yield make
    for adapter in adapters:
        adapter.close()
