"""An export's rows come from the standby: those that were there when its turn began, all of them."""

import threading

import pytest
from django.contrib.auth.models import User
from django.db import DEFAULT_DB_ALIAS, connections
from django.test.utils import CaptureQueriesContext

from payouts.database import replica
from payouts.database.replica import REPLICA
from tests import recipes
from tests.payouts.exports.files import from_csv, from_xlsx, written
from tests.standby import Follower, needs_standby

pytestmark = needs_standby


def rows_read(captured: CaptureQueriesContext) -> int:
    """Statements that read an export's rows."""
    return sum('"fee"' in each["sql"] for each in captured.captured_queries)


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_the_rows_are_read_from_the_standby(
    follower: Follower, approver: User, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "TASK_WAITS_SECONDS", 300.0)  # whatever other tests write to the server meanwhile
    payouts = [recipes.pending_payout(), recipes.processed_payout()]

    with (
        CaptureQueriesContext(connections[REPLICA]) as there,
        CaptureQueriesContext(connections[DEFAULT_DB_ALIAS]) as here,
    ):
        export = written(approver, format=format)

    assert (rows_read(there), rows_read(here)) == (1, 0)
    ids = (
        [row["id"] for row in from_csv(export)] if format == "csv" else [row["id"].value for row in from_xlsx(export)]
    )
    assert [int(each) for each in ids] == [payout.pk for payout in payouts]


def test_what_was_there_when_it_began_is_waited_for(
    follower: Follower, approver: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "TASK_WAITS_SECONDS", 300.0)
    follower.pause()
    payout = recipes.pending_payout()
    later = threading.Timer(0.3, follower.resume)
    later.start()

    with CaptureQueriesContext(connections[REPLICA]) as there:
        export = written(approver)
    later.join()

    assert [row["id"] for row in from_csv(export)] == [str(payout.pk)]
    assert rows_read(there) == 1


def test_a_standby_that_does_not_come_is_left_to_the_primary(
    follower: Follower, approver: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "TASK_WAITS_SECONDS", 0.1)
    follower.pause()
    payout = recipes.pending_payout()

    with CaptureQueriesContext(connections[REPLICA]) as there:
        export = written(approver)

    assert [row["id"] for row in from_csv(export)] == [str(payout.pk)]
    assert rows_read(there) == 0


def test_a_standby_that_goes_away_half_way_costs_the_file_nothing(
    follower: Follower, approver: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payouts.exports.write.BATCH", 1)
    payouts = [recipes.pending_payout() for _each in range(3)]
    follower.catch_up()
    export = recipes.asked_export("", format="csv", by=approver)
    stops = iter([False, True])

    recipes.write_exports(must_stop=lambda: next(stops, True))
    follower.point_to(1)
    while not recipes.write_exports():
        pass

    export.refresh_from_db()
    assert [row["id"] for row in from_csv(export)] == [str(payout.pk) for payout in payouts]
