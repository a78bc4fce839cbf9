"""How many recipients somebody may see in clear, and who is told when it was very many."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from structlog.testing import capture_logs

from payouts import actions
from payouts.actions import disclosures
from payouts.models import Event
from tests import recipes
from tests.payouts.actions.test_races import at_once
from tests.payouts.observe import audit_of, nothing_changes, unguarded
from tests.recipes import pending_payout

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _limits(settings: Any) -> None:
    settings.REVEALS_A_MINUTE, settings.REVEALS_A_DAY = 3, 5


def see(by: User, *, ago: timedelta = timedelta(0)) -> None:
    payout = pending_payout()
    actions.reveal(payout.pk, by=by, reason="A complaint.")
    with unguarded("payouts_event"):
        Event.objects.filter(payout=payout, event="revealed").update(at=Event.objects.latest("at").at - ago)


def test_who_has_seen_many_within_a_minute_sees_no_more(auditor: User, operator: User) -> None:
    """Shown before: one person saw every recipient, one after the other, and nobody was told."""
    for _each in range(3):
        see(auditor)
    payout = pending_payout()

    with (
        capture_logs() as lines,
        nothing_changes(payout),
        pytest.raises(actions.TooManyRevealsError, match="within a minute"),
    ):
        actions.reveal(payout.pk, by=auditor, reason="One more.")

    assert [(line["event"], line["actor"]) for line in lines] == [("too_many_reveals", "user:auditor")]
    see(operator)
    assert [(each.actor, each.count) for each in disclosures.many_seen()] == [("user:auditor", 3)]


def test_who_has_seen_many_within_a_day_sees_no_more(auditor: User) -> None:
    for hour in range(1, 6):
        see(auditor, ago=timedelta(hours=hour))

    with pytest.raises(actions.TooManyRevealsError, match="within a day"):
        see(auditor)

    assert [each.actor for each in disclosures.many_seen()] == ["user:auditor"]


@pytest.mark.django_db(transaction=True)
def test_many_requests_at_once_show_no_more_than_one_after_the_other(auditor: User) -> None:
    payouts = [pending_payout() for _each in range(8)]

    results = at_once(*(partial(actions.reveal, each.pk, by=auditor, reason="A complaint.") for each in payouts))

    assert sum(isinstance(each, actions.TooManyRevealsError) for each in results) == 5
    assert Event.objects.filter(event="revealed").count() == 3


def test_a_few_now_and_then_are_nobodys_business(auditor: User) -> None:
    for minute in (0, 0, 2, 3):
        see(auditor, ago=timedelta(minutes=minute))

    see_old = timedelta(days=1, minutes=1)
    see(recipes.person.make(), ago=see_old)

    assert disclosures.many_seen() == []


def test_a_client_is_counted_by_itself(auditor: User) -> None:
    for _each in range(3):
        see(auditor)
    payout = pending_payout()

    assert actions.reveal(payout.pk, by=payout.client, reason="PATCH") == recipes.CARD
    assert audit_of(payout) == set()


def test_what_was_seen_is_counted_by_an_index() -> None:
    with connection.cursor() as cursor:
        # Of a table of few rows every plan costs the same: leave those alone that go by ranges of pages.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute(
            "EXPLAIN SELECT 1 FROM payouts_event WHERE event = 'revealed' AND actor = 'x' AND at > now() LIMIT 3"
        )
        assert "event_reveals" in str(cursor.fetchall())
