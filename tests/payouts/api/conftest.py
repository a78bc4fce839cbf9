"""A client of the API with a key, as other systems have."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.test.client import MULTIPART_CONTENT

from payouts.api import auth
from payouts.clients import create_client
from payouts.models import Scope
from tests.payouts.api import promised

EXAMPLE: dict[str, Any] = {
    "user_id": 123,
    "amount": 100.50,
    "currency": "RUB",
    "recipient_details": {"card": "0000 1111 2222 3333"},
    "comment": "Оплата бонуса",
}


class Api:
    """The test client with a bearer key; bodies are JSON text, so that a test can send exactly what it means.

    Every answer is held against the OpenAPI document.
    """

    def __init__(self, key: str | None) -> None:
        self._client = Client(raise_request_exception=False)
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def __call__(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        if body is None:
            content, content_type = b"", MULTIPART_CONTENT
        else:
            content = body if isinstance(body, bytes) else str(body if isinstance(body, str) else json.dumps(body))
            content_type = headers.pop("content_type", "application/json")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = self._client.generic(method, path, content, content_type, headers={**self._headers, **named})
        promised.hold(method, path, response)
        return response

    def submit(self, **changes: object) -> dict[str, Any]:
        response = self("POST", "/api/payouts/", {**EXAMPLE, **changes})
        assert response.status_code == 201, response.content
        return response.json()


@pytest.fixture(autouse=True)
def _every_ring_is_heard() -> None:
    """Rings go through the shared cache here, as they do in production."""


@pytest.fixture(autouse=True)
def _nothing_counted() -> None:
    auth._counts.clear()


@pytest.fixture
def make_api(db: None) -> Callable[..., Api]:
    def make(name: str = "shop", scopes: tuple[str, ...] = tuple(Scope.values)) -> Api:
        _client, key = create_client(name, scopes=scopes)
        return Api(key)

    return make


@pytest.fixture
def client() -> Client:
    """A browser without a key, which the domain's tests have an API client for."""
    return Client()


@pytest.fixture
def api(make_api: Callable[..., Api]) -> Api:
    return make_api()


@pytest.fixture
def stranger(db: None) -> Api:
    return Api(None)
