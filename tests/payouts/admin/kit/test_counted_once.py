"""Figures that are counted once for all who look."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core import signing
from django.core.cache import cache
from django.utils import timezone
from time_machine import travel

from payouts.admin.kit.counted_once import cached
from payouts.admin.payouts.depths import Depth

NOW = timezone.now()
DEPTH = Depth(2, True, {"RUB": Decimal("100.50")}, NOW, (1, 0, 1, 0))


class Counter:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> Depth:
        self.times += 1
        return DEPTH


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.mark.parametrize("shared", [True, False], ids=["Redis", "no Redis"])
def test_it_is_counted_once_and_comes_back_as_it_was(shared, counter, settings):
    if not shared:
        settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()

    assert [cached("depth", Depth, counter) for _look in range(3)] == [DEPTH] * 3
    assert counter.times == 1


def test_it_is_counted_anew_after_its_time(counter):
    cached("depth", Depth, counter, seconds=15)
    key = "admin:figures:2:depth"
    cache.set(key, cache.get(key), 3600)

    with travel(timezone.now() + timedelta(seconds=16), tick=False):
        cached("depth", Depth, counter, seconds=15)

    assert counter.times == 2


@pytest.mark.parametrize("writing", ["unsigned", "signed for another", "of another kind"])
def test_what_somebody_else_writes_is_counted_anew(writing, counter):
    """Shown before: whoever could write to Redis told people that nothing waited for them."""
    key = "admin:figures:2:depth"
    nothing = '{"count":0,"is_capped":false,"sums":{},"oldest_at":null,"ages":[0,0,0,0]}'
    cached("other", Depth, lambda: Depth(0, False, {}, None, (0, 0, 0, 0)))
    written = {
        "unsigned": nothing,
        "signed for another": cache.get("admin:figures:2:other"),
        "of another kind": signing.dumps("[1]", salt=key),
    }
    cache.set(key, written[writing], 3600)

    assert cached("depth", Depth, counter) == DEPTH
    assert counter.times == 1
