"""Routes in the back office: their list and form, and a payout that is routed anew."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User

from payouts import actions
from payouts.actions import bulk
from payouts.models import Payout, Proposal, Route
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.text import plain
from tests.payouts.admin.urls import dialog

pytestmark = pytest.mark.django_db

ROUTES = "/admin/payouts/route/"
FIELDS = {
    "position": "10",
    "client": "",
    "currency": "RUB",
    "recipient_kind": "sbp",
    "from_amount": "",
    "below_amount": "500000",
    "account": "http",
    "proposal_reason": "SBP goes there.",
}


def test_a_route_is_proposed_on_its_form_and_in_force_when_another_person_confirms(
    in_group: Callable[[str], User], settings: Any
) -> None:
    settings.DUAL_CONTROL = True
    proposer, second = in_group("Admin"), in_group("Admin")

    answer = as_user(proposer).post(f"{ROUTES}add/", FIELDS)
    proposal = Proposal.objects.get()
    page = plain(as_user(second).get(f"/admin/payouts/proposal/{proposal.pk}/change/").content.decode())
    before = Route.objects.count()
    as_user(second).post(f"/admin/payouts/proposal/{proposal.pk}/confirm/", {"version": 0})

    assert answer.status_code == 302
    assert "Phone (SBP)" in page
    assert (before, Route.objects.get().below_amount) == (0, 500_000)


def test_the_list_shows_routes_in_the_order_in_which_they_are_tried(as_group: Any) -> None:
    Route.objects.create(position=20, account="gone")
    Route.objects.create(
        position=10, account="http", currency="RUB", from_amount=Decimal(5), client=recipes.client.make(name="shop")
    )

    answer = as_group("Auditor").get(ROUTES)

    text = plain(answer.content.decode())
    assert [route.position for route in answer.context["cl"].result_list] == [10, 20]
    assert "from 5.00 RUB" in text
    assert "Where none fits, the account http pays." in text
    assert "gone: not in the settings" in text


def test_a_form_offers_the_accounts_and_the_kinds_of_recipients_that_there_are(as_group: Any) -> None:
    form = as_group("Admin").get(f"{ROUTES}add/").context["adminform"].form

    assert ("http", "http") in form.fields["account"].choices
    assert ("sbp", "Phone (SBP)") in form.fields["recipient_kind"].choices


def test_a_payout_that_is_routed_anew_says_from_where_to_where(as_group: Any) -> None:
    payout = recipes.pending_payout()
    operator = as_group("Operator")
    address = f"/admin/payouts/payout/{payout.pk}/change/"
    without = operator.get(address).content.decode()
    Route.objects.create(position=10, account="elsewhere")

    shown = operator.get(address).content.decode()
    asked = plain(operator.get(dialog(payout, "route")).content.decode())
    operator.post(dialog(payout, "route"), {"version": payout.version, "reason": "The first bank is closed."})
    after = plain(operator.get(address).content.decode())

    assert dialog(payout, "route") not in without
    assert dialog(payout, "route") in shown
    assert "Now it is http." in asked
    assert "Routed to another account" in after
    assert "http → elsewhere" in after
    assert "The first bank is closed." in after


def test_many_are_routed_anew_at_once_and_those_that_stay_say_why(operator: User) -> None:
    sent, free = recipes.retried_payout(), recipes.pending_payout()
    Route.objects.create(position=10, account="elsewhere")

    decision = bulk.choose([sent.pk, free.pk], verb=bulk.Verb.ROUTE, by=operator)
    bulk.decide(decision.pk, by=operator, reason="The first bank is closed.")

    assert {item.payout_id: item.result for item in decision.items.all()} == {sent.pk: "skipped", free.pk: "done"}
    assert "was sent to the account http" in decision.items.get(payout=sent).message
    assert Payout.objects.get(pk=free.pk).provider == "elsewhere"


def test_a_payout_is_sent_from_the_account_that_it_was_routed_to_and_from_no_other(operator: User) -> None:
    payout = recipes.pending_payout()
    Route.objects.create(position=10, account="elsewhere")

    actions.route(payout.pk, by=operator, reason="The first bank is closed.")

    assert actions.claim(limit=10) == []
