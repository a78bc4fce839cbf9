"""What somebody who can write to Redis can do: nothing but cost time."""

import base64
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django_redis import get_redis_connection

from payouts.api import auth
from payouts.clients import create_client
from payouts.staff import groups
from tests.recipes import pending_payout, person

pytestmark = pytest.mark.django_db

PASSWORD = "a password of theirs"


class Hostile:
    """Makes a folder as soon as somebody loads its pickle."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return Path.mkdir, (self.trace,)  # type: ignore[return-value]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Where a hostile pickle that was run leaves its trace."""
    return tmp_path / "was run"


@pytest.fixture
def browser(db: None) -> Client:
    groups.make_groups()
    user: User = person.make(username="somebody", is_superuser=True)
    user.set_password(PASSWORD)
    user.save()
    return Client(headers={"accept-language": "en"})


def look_at_everything(browser: Client, key: str) -> list[int]:
    """What each page that asks the cache answers: health, a login, the start page, the palette, the API."""
    auth._counts.clear()
    login = {"username": "somebody", "password": PASSWORD}
    called = {"authorization": f"Bearer {key}"}
    return [
        browser.get("/readyz/").status_code,
        browser.post("/admin/login/", login).status_code,
        browser.get("/admin/").status_code,
        browser.get("/admin/operations/").status_code,
        browser.get("/admin/payouts/approvals/").status_code,
        browser.get("/admin/payouts/payout/").status_code,
        browser.get("/admin/search/", {"s": "pay"}).status_code,
        browser.get("/api/payouts/", headers=called).status_code,
        browser.get("/api/payouts/", headers={"authorization": "Bearer wrong"}).status_code,
    ]


ANSWERS = [200, 302, 200, 200, 200, 200, 200, 200, 401]


@pytest.fixture
def key(settings: Any) -> str:
    settings.API_THROTTLE = "20/m"
    pending_payout()
    return create_client("shop", scopes=("payouts:read",))[1]


def test_a_pickle_in_redis_is_never_run(browser: Client, key: str, trace: Path) -> None:
    """Shown before: `GET /readyz/` ran what was in Redis, and so did the start page and the palette."""
    look_at_everything(browser, key)
    redis = get_redis_connection()
    asked = redis.keys("*")
    assert len(asked) >= 6
    for name in asked:
        redis.set(name, pickle.dumps(Hostile(trace)))

    assert look_at_everything(browser, key) == ANSWERS

    assert not trace.exists()


def test_a_pickle_that_cannot_be_overwritten_is_never_run(settings: Any, browser: Client, trace: Path) -> None:
    redis = get_redis_connection()
    redis.set(cache.make_key("ready"), pickle.dumps(Hostile(trace)))
    redis.execute_command("ACL", "SETUSER", "reader", "on", "nopass", "~*", "+@all", "-set")
    only_reads = settings.CACHES["default"] | {"LOCATION": settings.REDIS_URL.replace("//", "//reader@")}
    settings.CACHES = {"default": only_reads}

    answer = browser.get("/readyz/")

    assert answer.json()["cache"] == "away"
    assert not trace.exists()


@pytest.mark.parametrize(
    "value",
    [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"9" * 5_000, b"NaN", b"[1]", b'{"a": 1}', b'"text"', b"null", b"true"],
    ids=lambda value: value[:10].decode(errors="replace"),
)
def test_whatever_redis_holds_every_page_is_served(browser: Client, key: str, value: bytes) -> None:
    look_at_everything(browser, key)
    redis = get_redis_connection()
    for name in redis.keys("*"):
        redis.set(name, value)

    assert look_at_everything(browser, key) == ANSWERS


def test_another_kind_of_value_in_redis_is_a_miss(browser: Client, key: str) -> None:
    look_at_everything(browser, key)
    redis = get_redis_connection()
    for name in redis.keys("*"):
        redis.delete(name)
        redis.rpush(name, base64.b64encode(b"x"))

    assert look_at_everything(browser, key) == ANSWERS
