"""The people and systems that the domain's tests speak of."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from payouts.models import ApiClient
from tests import recipes
from tests.payouts.providers.double import DoubleProvider


@pytest.fixture(autouse=True)
def _every_ring_is_heard(settings: Any) -> None:
    """Without a shared cache each ring is a task of its own. The doorbell's tests give the cache back."""
    settings.REDIS_URL = ""


@pytest.fixture
def maker(db: None) -> User:
    return recipes.person.make(username="maker")


@pytest.fixture
def checker(db: None) -> User:
    return recipes.person.make(username="checker")


@pytest.fixture
def second_checker(db: None) -> User:
    return recipes.person.make(username="second checker")


@pytest.fixture
def operator(db: None) -> User:
    return recipes.person.make(username="operator")


@pytest.fixture
def auditor(db: None) -> User:
    return recipes.person.make(username="auditor")


@pytest.fixture
def client(db: None) -> ApiClient:
    return recipes.client.make(name="shop")


@pytest.fixture
def stranger(db: None) -> ApiClient:
    """Another client, which must not see the payouts of the first."""
    return recipes.client.make(name="stranger")


@pytest.fixture
def provider() -> DoubleProvider:
    return DoubleProvider()
