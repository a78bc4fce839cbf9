"""People of each group, and browsers logged in as them."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from payouts.staff import groups
from tests import recipes

type Browse = Callable[..., Client]


@pytest.fixture(autouse=True)
def _every_ring_is_heard() -> None:
    """Rings go through the shared cache here, as they do in production."""


@pytest.fixture
def in_group(db: None) -> Callable[[str], User]:
    """A member of staff in the group; each call makes another."""

    def make(name: str) -> User:
        groups.make_groups()
        user: User = recipes.person.make()
        user.groups.add(Group.objects.get(name=name))
        return user

    return make


@pytest.fixture
def as_group(in_group: Callable[[str], User]) -> Callable[[str], Client]:
    return lambda name: as_user(in_group(name))


def as_user(user: User) -> Client:
    browser = Client(headers={"accept-language": "en"})
    browser.force_login(user, backend="payouts.staff.authority.SealedBackend")
    return browser
