"""A client is told of an archived payout what it was told before."""

from typing import Any

import pytest

from payouts.models import Event, Payout
from tests.payouts.api.conftest import Api
from tests.payouts.archiving import archived
from tests.payouts.observe import by_hand, unguarded

pytestmark = pytest.mark.django_db


@pytest.fixture
def payout(api: Api) -> dict[str, Any]:
    """One that a review flag asked an approval for, cancelled long ago."""
    api.submit()
    flagged = api.submit()
    assert Payout.objects.get(pk=flagged["id"]).approvals_required == 1
    api("PATCH", f"/api/payouts/{flagged['id']}/", {"status": "cancelled"})
    return flagged


def test_a_client_sees_an_archived_payout_and_what_happened_to_it(api: Api, payout: dict[str, Any]) -> None:
    paths = (f"/api/payouts/{payout['id']}/", f"/api/payouts/{payout['id']}/events/")
    before = [api("GET", path).json() for path in paths]
    assert before[0]["approvals"]["reasons"]

    archived()

    assert not Event.objects.filter(payout=payout["id"]).exists()
    assert [api("GET", path).json() for path in paths] == before


def test_an_altered_archive_is_no_history(api: Api, payout: dict[str, Any]) -> None:
    archived()
    with unguarded("payouts_archived"):
        by_hand("UPDATE payouts_archived SET mac = sha256('other')")

    answers = [api("GET", f"/api/payouts/{payout['id']}/{part}") for part in ("", "events/")]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert "changed outside the product" in answers[0].json()["detail"]
