"""The sandbox as a program that runs, and the adapter that calls it."""

from collections.abc import Iterator

import pytest

from payouts.providers.http.client import HttpProvider
from tests.payouts.providers.programs import TOKEN, SandboxProgram, sandbox


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProgram]:
    with sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def provider(program: SandboxProgram) -> Iterator[HttpProvider]:
    adapter = HttpProvider(program.url, TOKEN)
    yield adapter
    adapter.close()
