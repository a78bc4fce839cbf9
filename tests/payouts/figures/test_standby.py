"""What is told of the standby: whether it is read from, and how old it is."""

from payouts.database import replica
from tests import recipes
from tests.payouts.figures.scraped import scraped
from tests.standby import Follower, needs_standby
from tests.waiting import wait_until

pytestmark = needs_standby


def told() -> tuple[float | None, float | None]:
    scrape = scraped()
    return scrape.value("replica_used"), scrape.value("replica_lag_seconds")


def test_a_standby_that_follows_is_used_and_as_old_as_the_primary(follower: Follower) -> None:
    recipes.pending_payout()

    wait_until(lambda: told() == (1.0, 0.0))  # whatever other tests write to the server meanwhile


def test_one_that_is_paused_grows_old(follower: Follower) -> None:
    follower.pause()
    recipes.pending_payout()

    used, lag = told()

    assert (used, lag is not None and lag > 0) == (1.0, True)


def test_one_that_is_away_is_as_old_as_can_be_told(follower: Follower) -> None:
    follower.point_to(1)

    assert told() == (0.0, replica.KEPT_SECONDS)
