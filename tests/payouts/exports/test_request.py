"""Who asks for what: filters, doubles, limits, and what is cancelled or over."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User

from payouts.exports.request import WRITE, ExportError, cancel
from payouts.models import Export
from tests import recipes
from tests.payouts.actions.test_races import at_once
from tests.payouts.exports.files import from_csv, member, written
from tests.payouts.observe import queued

pytestmark = pytest.mark.django_db


def test_a_file_holds_what_the_list_shows(approver: User) -> None:
    recipes.pending_payout()
    failed, held = recipes.failed_payout(), recipes.held_payout()

    by_stage = written(approver, "stage=failed")
    by_search = written(approver, f"q={held.pk}")

    assert [row["id"] for row in from_csv(by_stage)] == [str(failed.pk)]
    assert [row["id"] for row in from_csv(by_search)] == [str(held.pk)]


@pytest.mark.parametrize(
    "query",
    ["stage=nonsense", "created_from=yesterday", "amount_to=1,000", "no_such_filter=1", "q=%00", "amount__gt=x"],
)
def test_a_filter_that_cannot_be_read_exports_nothing(query: str, approver: User) -> None:
    recipes.pending_payout()

    with pytest.raises(ExportError, match=r"cannot be read|Null characters"):
        recipes.asked_export(query, format="csv", by=approver)

    assert not Export.objects.exists()
    assert len(queued(WRITE.task)) == 0


def test_nothing_to_export_is_told(approver: User) -> None:
    recipes.pending_payout()

    with pytest.raises(ExportError, match="nothing to export"):
        recipes.asked_export("stage=returned", format="csv", by=approver)

    assert not Export.objects.exists()


def test_an_export_is_queued_once_and_stands_in_the_log(approver: User) -> None:
    recipes.pending_payout()

    first = recipes.asked_export("currency=RUB", format="csv", by=approver)
    again = recipes.asked_export("currency=RUB", format="csv", by=approver)
    recipes.write_exports()
    a_moment_later = recipes.asked_export("currency=RUB", format="csv", by=approver)

    assert first == again == a_moment_later
    assert len(queued(WRITE.task)) == 1
    assert list(LogEntry.objects.order_by("pk").values_list("user", "object_id", "change_message")) == [
        (approver.pk, str(first.pk), "format=csv filter=currency=RUB"),
        (approver.pk, str(first.pk), "format=csv rows=1 filter=currency=RUB"),
    ]


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_are_one_export() -> None:
    approver = member("Approver")
    recipes.pending_payout()

    at_once(*[lambda: recipes.asked_export("", format="csv", by=approver)] * 4)

    assert Export.objects.count() == 1


def test_a_person_has_three_open_exports_at_most(approver: User) -> None:
    recipes.pending_payout()
    for query in ("", "stage=ready", "currency=RUB"):
        recipes.asked_export(query, format="csv", by=approver)

    with pytest.raises(ExportError, match="3 exports of yours"):
        recipes.asked_export("", format="xlsx", by=approver)

    assert Export.objects.count() == 3


def test_nobody_cancels_another_persons_export(approver: User) -> None:
    recipes.pending_payout()
    export = recipes.asked_export("", by=approver)

    with pytest.raises(ExportError, match="Only the person who requested"):
        cancel(export.pk, by=member("Admin"))

    export.refresh_from_db()
    assert export.cancelled_at is None


def test_a_cancelled_export_leaves_no_part(approver: User) -> None:
    recipes.pending_payout()
    export = recipes.asked_export("", format="csv", by=approver)
    recipes.write_exports()

    with pytest.raises(ExportError, match="ended already"):
        cancel(export.pk, by=approver)
    other = recipes.asked_export("stage=ready", format="csv", by=approver)
    cancel(other.pk, by=approver)
    recipes.write_exports()

    other.refresh_from_db()
    assert (other.cancelled_by, other.finished_at, other.chunks.count()) == (approver, None, 0)
