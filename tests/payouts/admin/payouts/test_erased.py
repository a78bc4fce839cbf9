"""Pages say who was erased, when and by whom; another person confirms on the proposal's page."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from payouts.actions import erasure
from payouts.configuration import erasure_subjects
from payouts.models import BatchRow, Payout, RecipientKey
from tests import recipes
from tests.payouts.admin.text import plain
from tests.payouts.admin.urls import LIST, page

pytestmark = pytest.mark.django_db


@pytest.fixture
def erased() -> Payout:
    payout = recipes.processed_payout()
    erase(payout)
    return Payout.objects.get(pk=payout.pk)


def erase(row: Payout | BatchRow) -> None:
    key = row.recipient_key
    assert key is not None
    people = {"proposed_by": recipes.person.make(username="asking"), "confirmed_by": recipes.person.make()}
    erasure.erase(key, at=timezone.now(), reason="Asked for by letter.", **people)


def test_a_payouts_page_says_when_by_whom_and_why(erased: Payout, as_group: Any) -> None:
    browser: Client = as_group("Operator")

    text = browser.get(page(erased)).content.decode()

    assert "erased on " in text
    assert timezone.localdate().isoformat() not in plain(text)  # a day as people write it
    assert "asking" in text
    assert "Asked for by letter." in text
    assert "Петров" not in text


def test_the_list_says_so_too(erased: Payout, as_group: Any) -> None:
    text = as_group("Operator").get(LIST).content.decode()

    assert "erased on " in text
    assert "Петров" not in text


def test_a_batchs_page_says_so_too(as_group: Any) -> None:
    batch = recipes.checked_batch()
    row = batch.rows.get()
    erase(row)  # as if it were over

    text = as_group("Admin").get(reverse("admin:payouts_batch_change", args=(batch.pk,))).content.decode()

    assert "erased on " in text
    assert "Петров" not in text


def test_another_person_confirms_on_the_proposals_page(as_group: Any, settings: Any) -> None:
    settings.DUAL_CONTROL = True
    payout = recipes.processed_payout()
    by = recipes.allowed_to("view_payout", "erase_recipientkey")
    changed = erasure_subjects.erase(RecipientKey.objects.get().pk, by=by, reason="Asked for by letter.")
    assert changed.proposal is not None
    browser: Client = as_group("Approver")

    shown = browser.get(reverse("admin:payouts_proposal_change", args=(changed.proposal.pk,))).content.decode()

    assert "erased for good" in shown
    assert f"#{payout.pk}" in shown
