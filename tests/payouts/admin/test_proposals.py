"""What one person proposes in the back office is in force when another has confirmed it there."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from payouts import configuration
from payouts.models import ApprovalBand, PayoutLimit, Proposal, ReviewRule
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.text import plain
from tests.payouts.observe import by_hand

pytestmark = pytest.mark.django_db

BANDS = "/admin/payouts/approvalband/"
PROPOSALS = "/admin/payouts/proposal/"
WHY = "More eyes on large sums."


@pytest.fixture(autouse=True)
def _two_people(settings: Any) -> None:
    settings.DUAL_CONTROL = True


def band() -> ApprovalBand:
    return ApprovalBand.objects.get(currency="RUB", from_amount=1_000_000)


def asks_for(approvals: int, reason: str = WHY) -> dict[str, str]:
    return {
        "currency": "RUB",
        "from_amount": "1000000",
        "approvals_required": str(approvals),
        "proposal_reason": reason,
    }


def page(proposal: Proposal, name: str = "change") -> str:
    return f"{PROPOSALS}{proposal.pk}/{name}/"


def act(browser: Client, proposal: Proposal, name: str, **given: Any) -> str:
    return plain(browser.post(page(proposal, name), {"version": 0, **given}, follow=True).content.decode())


def test_a_form_says_before_that_it_proposes_and_afterwards_that_nothing_has_changed(as_group: Any) -> None:
    browser = as_group("Admin")

    source = browser.get(f"{BANDS}{band().pk}/change/").content.decode()
    form = plain(source)
    answer = browser.post(f"{BANDS}{band().pk}/change/", asks_for(3), follow=True)
    proposal = Proposal.objects.get()
    text = plain(answer.content.decode())

    assert "Another person must confirm this change" in form
    assert source.count('name="proposal_reason"') == 1
    assert answer.redirect_chain == [(page(proposal), 302)]
    assert "Nothing has changed yet: another person must confirm it" in text
    assert (proposal.before["approvals_required"], proposal.after["approvals_required"]) == (2, 3)
    assert (band().approvals_required, band().history.count()) == (2, 1)
    assert [json.loads(entry.change_message)[0]["act"]["name"] for entry in LogEntry.objects.all()] == ["proposed"]


def test_without_a_reason_nothing_is_proposed(as_group: Any) -> None:
    answer = as_group("Admin").post(f"{BANDS}{band().pk}/change/", asks_for(3, reason=""))

    assert "This field is required" in answer.content.decode()
    assert not Proposal.objects.exists()


def test_another_person_sees_before_and_after_and_confirms(in_group: Callable[[str], User]) -> None:
    proposer, second = in_group("Admin"), in_group("Admin")
    as_user(proposer).post(f"{BANDS}{band().pk}/change/", asks_for(3))
    proposal = Proposal.objects.get()

    shown = plain(as_user(second).get(page(proposal)).content.decode())
    dialog = plain(as_user(second).get(page(proposal, "confirm")).content.decode())
    done = act(as_user(second), proposal, "confirm")

    for text in (shown, dialog):
        assert WHY in text
        assert "Before: 2 After: 3" in text
    assert f"Can confirm it: {second.username}" in shown
    assert "the change is in force" in done
    assert f"Confirmed by {second.username}." in done
    assert band().approvals_required == 3
    assert band().history.first().history_user == proposer


def test_the_proposer_is_offered_no_confirmation_and_refused_one(in_group: Callable[[str], User]) -> None:
    proposer = in_group("Admin")
    browser = as_user(proposer)
    proposal = recipes.open_proposal(by=proposer)

    shown = browser.get(page(proposal)).content.decode()
    refused = act(browser, proposal, "confirm")

    assert page(proposal, "confirm") not in shown
    assert page(proposal, "withdraw") in shown
    assert "You proposed it, so another person must confirm it." in refused
    assert band().approvals_required == 2
    assert "Withdrawn: nothing changes." in act(browser, proposal, "withdraw")


def test_a_change_is_declined_with_a_reason_and_the_history_keeps_it(in_group: Callable[[str], User]) -> None:
    browser, proposal = as_user(in_group("Admin")), recipes.open_proposal()

    without = act(browser, proposal, "decline", reason="")
    declined = act(browser, proposal, "decline", reason="Two are enough.")
    listed = plain(browser.get(PROPOSALS).content.decode())

    assert "This field is required" in without
    assert "Declined: nothing changes." in declined
    assert "Two are enough." in declined
    assert "Declined" in listed
    assert band().approvals_required == 2


def test_of_two_who_confirm_at_the_same_time_the_second_is_told(in_group: Callable[[str], User]) -> None:
    proposal = recipes.open_proposal()

    act(as_user(in_group("Admin")), proposal, "confirm")
    second = act(as_user(in_group("Admin")), proposal, "confirm")

    assert "This proposal was decided already." in second


def test_what_has_changed_meanwhile_is_not_confirmed(in_group: Callable[[str], User]) -> None:
    proposal = recipes.open_proposal()
    by_hand("UPDATE payouts_approvalband SET approvals_required = 4 WHERE id = %s", band().pk)

    refused = act(as_user(in_group("Admin")), proposal, "confirm")

    assert "It was changed meanwhile" in refused
    assert band().approvals_required == 4


def test_a_deletion_and_an_addition_are_proposed_too(in_group: Callable[[str], User]) -> None:
    browser, second = as_user(in_group("Admin")), as_user(in_group("Admin"))
    old = band()

    asked = plain(browser.get(f"{BANDS}{old.pk}/delete/").content.decode())
    browser.post(f"{BANDS}{old.pk}/delete/", {"reason": "Not needed."})
    browser.post(f"{BANDS}add/", asks_for(5) | {"from_amount": "5000000"})
    between = ApprovalBand.objects.filter(currency="RUB").count()
    for proposal in Proposal.objects.order_by("pk"):
        act(second, proposal, "confirm")

    assert "It stays in force until another person confirms." in asked
    assert between == ApprovalBand.objects.filter(currency="RUB").count()
    assert not ApprovalBand.objects.filter(pk=old.pk).exists()
    assert ApprovalBand.objects.get(currency="RUB", from_amount=5_000_000).approvals_required == 5


def test_a_second_proposal_about_the_same_is_refused_in_words(in_group: Callable[[str], User]) -> None:
    recipes.open_proposal()
    browser = as_user(in_group("Admin"))

    form = plain(browser.get(f"{BANDS}{band().pk}/change/").content.decode())
    refused = browser.post(f"{BANDS}{band().pk}/change/", asks_for(4), follow=True).content.decode()

    assert "has proposed a change of this. It is not in force yet." in form
    assert "A change of this is proposed already" in refused
    assert Proposal.objects.count() == 1


def test_review_rules_and_limits_are_proposed_by_their_forms(as_group: Any) -> None:
    browser = as_group("Admin")
    rule = ReviewRule.objects.filter(effect="note").first() or ReviewRule.objects.all()[0]
    effect = "note" if rule.effect == "ask" else "ask"

    browser.post(f"/admin/payouts/reviewrule/{rule.pk}/change/", {"effect": effect, "proposal_reason": WHY})
    browser.post("/admin/payouts/payoutlimit/add/", {"currency": "RUB", "day_amount": "5", "proposal_reason": WHY})

    assert {(each.subject, each.act) for each in Proposal.objects.all()} == {
        ("review_rule", "change"),
        ("limit", "add"),
    }
    assert ReviewRule.objects.get(pk=rule.pk).effect == rule.effect
    assert not PayoutLimit.objects.exists()


@pytest.mark.parametrize(
    ("group", "sees", "refusal"), [("Operator", 403, 403), ("Approver", 200, 200), ("Auditor", 200, 403)]
)
def test_who_may_not_confirm_sees_proposals_at_most(group: str, sees: int, refusal: int, as_group: Any) -> None:
    """An approver may confirm that a payout is sent over a limit, and nothing else."""
    browser, proposal = as_group(group), recipes.open_proposal()

    codes = [browser.get(path).status_code for path in (PROPOSALS, page(proposal))]
    refused = [browser.post(page(proposal, name), {"version": 0}).status_code for name in ("confirm", "decline")]

    assert codes == [sees] * 2
    assert refused == [refusal] * 2
    assert Proposal.objects.get().decision == ""


def test_the_start_page_and_the_menu_say_what_waits_for_whom(in_group: Callable[[str], User]) -> None:
    proposer, second, auditor = in_group("Admin"), in_group("Admin"), in_group("Auditor")
    recipes.open_proposal(by=proposer)

    texts = {person: plain(as_user(person).get("/admin/").content.decode()) for person in (proposer, second, auditor)}

    waits = "1 change of the configuration waits for your confirmation."
    assert {person: waits in text for person, text in texts.items()} == {
        proposer: False,
        second: True,
        auditor: False,
    }
    assert "Proposed changes 1" in texts[second]


def test_a_proposal_that_was_changed_by_hand_is_told_and_offers_nothing(in_group: Callable[[str], User]) -> None:
    browser, proposal = as_user(in_group("Admin")), recipes.open_proposal()
    by_hand("UPDATE payouts_proposal SET facts_seal = 'x'")

    shown = plain(browser.get(page(proposal)).content.decode())
    refused = act(browser, proposal, "confirm")

    assert "changed outside the product" in shown
    assert "changed outside the product" in refused
    assert band().approvals_required == 2


def test_the_newest_that_waits_stands_above_what_was_decided(in_group: Callable[[str], User]) -> None:
    waits = recipes.open_proposal()
    limit = {"currency": "EUR", "recipient_amount": None, "day_amount": "100"}
    by = recipes.allowed_to("add_payoutlimit")
    decided = configuration.propose("limit", "", limit, by=by, reason=WHY, act="add")
    configuration.withdraw(decided.pk, by=by)

    listed = as_user(in_group("Admin")).get(PROPOSALS).content.decode()

    assert listed.index(page(waits)) < listed.index(page(decided))
