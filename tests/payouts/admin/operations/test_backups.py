"""Backups that are late, or of no use, are told at the top of the start page."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from payouts.models import Backup
from tests.payouts.admin.text import plain
from tests.payouts.observe import by_hand

pytestmark = pytest.mark.django_db

NONE = "There is no backup of the database."
LATE = "The last backup of the database is of"
UNCHECKED = "No backup was put back and audited yet."
CHECKED_LATE = "The newest backup that was put back and audited is of"
BROKEN = "could not take the place of the database."
SENTENCES = (NONE, LATE, UNCHECKED, CHECKED_LATE, BROKEN)


def a_backup(*, made_hours: float, checked_hours: float | None = None, fault: str = "", is_made: bool = True) -> None:
    now = timezone.now()
    at = now - timedelta(hours=made_hours)
    Backup.objects.create(
        name=f"backup-{made_hours}",
        started_at=at,
        finished_at=at if is_made else None,
        checked_at=None if checked_hours is None else now - timedelta(hours=checked_hours),
        fault=fault,
    )


def told(as_group: Any) -> set[str]:
    page = plain(as_group("Operator").get("/admin/").content.decode())
    return {each for each in SENTENCES if each in page}


@pytest.mark.parametrize(
    ("backups", "sentences"),
    [
        ([], {NONE}),
        ([{"made_hours": 1, "is_made": False}], {NONE}),
        ([{"made_hours": 25}], set()),
        ([{"made_hours": 27}], {LATE}),
        ([{"made_hours": 1, "fault": "No room.", "is_made": False}, {"made_hours": 27}], {LATE}),
        ([{"made_hours": 1}, {"made_hours": 193}], {UNCHECKED}),
        ([{"made_hours": 1}, {"made_hours": 193, "checked_hours": 190}], set()),
        ([{"made_hours": 1}, {"made_hours": 290, "checked_hours": 193}], {CHECKED_LATE}),
        # One of before, tried today: those since are still untried.
        ([{"made_hours": 1}, {"made_hours": 290, "checked_hours": 1}], {CHECKED_LATE}),
        ([{"made_hours": 1}, {"made_hours": 2, "fault": "Damaged."}], {BROKEN}),
        ([{"made_hours": 1, "checked_hours": 1}, {"made_hours": 2, "fault": "Damaged."}], set()),
    ],
)
def test_what_is_wrong_with_the_backups_is_told(
    backups: list[dict[str, Any]], sentences: set[str], as_group: Any, settings: Any
) -> None:
    settings.BACKUPS = "/backups"
    for each in backups:
        a_backup(**each)

    assert told(as_group) == sentences


def test_that_none_is_ever_put_back_is_told_though_the_first_ones_are_removed(as_group: Any, settings: Any) -> None:
    settings.BACKUPS = "/backups"
    by_hand("UPDATE django_migrations SET applied = now() - interval '30 days'")
    a_backup(made_hours=20)

    assert told(as_group) == {UNCHECKED}


def test_nothing_is_told_where_none_are_kept(as_group: Any) -> None:
    a_backup(made_hours=1_000)

    assert told(as_group) == set()
