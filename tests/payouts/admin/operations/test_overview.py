"""The operations page: who sees it, and what it says."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from payouts.models import AuditRun
from payouts.statements import read
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.operations.acts import OPERATIONS
from tests.payouts.admin.urls import page
from tests.recipes import make_due, pending_payout

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("group", ["Operator", "Approver", "Auditor", "Admin"])
def test_every_group_sees_the_page_and_finds_it_in_the_navigation(group: str, as_group: Any) -> None:
    browser = as_group(group)

    assert browser.get(OPERATIONS).status_code == 200
    assert f'href="{OPERATIONS}"' in browser.get("/admin/").content.decode()


def test_a_member_of_staff_without_a_group_does_not(as_group: Any) -> None:
    browser = as_user(recipes.person.make())

    assert browser.get(OPERATIONS).status_code == 403
    assert f'href="{OPERATIONS}"' not in browser.get("/admin/").content.decode()


def test_nobody_sees_it_without_logging_in() -> None:
    assert Client().get(OPERATIONS).status_code == 302


def test_backlog_and_flight_are_counted_by_provider(as_group: Any) -> None:
    recipes.accepted_payout()
    make_due(pending_payout())
    pending_payout()

    answer = as_group("Operator").get(OPERATIONS)

    due, flight, unknown = answer.context["cards"]
    assert (due["count"], flight["count"], unknown["count"]) == ("2", "1", "0")
    assert "overdue (target 5 min)" in due["age"]
    row = answer.context["providers"][0]
    assert (row["name"], row["due"], row["in_flight"]) == ("http", "2", "1")


def test_unknown_outcomes_are_counted_with_their_sums(as_group: Any) -> None:
    recipes.unknown_payout()
    recipes.unknown_payout(currency="EUR")

    unknown = as_group("Operator").get(OPERATIONS).context["cards"][2]

    assert (unknown["count"], unknown["sums"]) == ("2", ["100.50\u00a0EUR", "100.50\u00a0RUB"])


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"finished_at": 0}, "Every invariant holds"),
        ({}, "Running"),
        ({"seen_at": -3600}, "Interrupted"),
        ({"finished_at": 0, "broken_count": 2}, "Broken invariants"),
    ],
)
def test_the_last_audit_is_told_in_words(run: dict[str, int], words: str, as_group: Any) -> None:
    AuditRun.objects.create(broken_count=9)
    facts = {
        name: value if name == "broken_count" else timezone.now() + timedelta(seconds=value)
        for name, value in run.items()
    }
    AuditRun.objects.create(**facts)

    assert words in as_group("Operator").get(OPERATIONS).context["audit"]["badge"]


def test_what_the_audit_found_leads_to_the_payout(as_group: Any) -> None:
    payout = pending_payout()
    found = {"payout_id": payout.pk, "invariant": "row_sealed", "detail": "the row was changed"}
    AuditRun.objects.create(broken_count=1, findings=[found], finished_at=timezone.now())

    text = as_group("Operator").get(OPERATIONS).content.decode()

    assert f'href="{page(payout)}"' in text
    assert "row_sealed" in text


def test_reports_being_applied_are_named(in_group: Any) -> None:
    user = in_group("Approver")
    report = read.store(b"reference,status,amount\nr-1,pending,1\n", name="march.csv", by=user)

    text = as_user(user).get(OPERATIONS).content.decode()

    assert f"/admin/payouts/providerreport/{report.pk}/change/" in text
    assert "march.csv" in text
