"""Recovery mode in the back office: one person begins it, one proposes its end, another confirms."""

from typing import Any

import pytest
from django.urls import reverse

from payouts.actions import recovery
from payouts.models import Recovery
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.operations.acts import OPERATIONS
from tests.payouts.admin.text import plain

pytestmark = pytest.mark.django_db

BEGIN = "/admin/payouts/recovery/begin/"
FROM_SCRIPT = {"HX-Request": "true"}
REASON = "Restored the backup of 03:00."
EVIDENCE = "Report 7, 01:00 to 03:00: all agree."


def begun() -> Recovery:
    return recovery.begin(by="shell:root", reason=REASON)


def page(found: Recovery) -> str:
    return reverse("admin:payouts_recovery_change", args=(found.pk,))


def dialog(found: Recovery, name: str) -> str:
    return f"/admin/payouts/recovery/{found.pk}/{name}/"


@pytest.mark.parametrize("group", ["Approver", "Admin"])
def test_one_person_begins_it_from_the_operations_page(group: str, in_group: Any) -> None:
    user = in_group(group)
    browser = as_user(user)

    assert BEGIN in browser.get(OPERATIONS).content.decode()
    done = browser.post(BEGIN, {"reason": REASON}, headers=FROM_SCRIPT)

    made = Recovery.objects.get()
    assert done.headers["HX-Redirect"] == page(made)
    assert (made.cause, made.reason, made.begun_by) == ("by_hand", REASON, f"user:{user.get_username()}")
    assert REASON in plain(browser.get(OPERATIONS).content.decode())


def test_two_people_end_it_by_its_dialogs(in_group: Any) -> None:
    found = begun()
    proposer, confirmer = (in_group("Approver") for _each in range(2))

    proposed = as_user(proposer).post(dialog(found, "propose-end"), {"evidence": EVIDENCE}, headers=FROM_SCRIPT)
    shown = as_user(confirmer).get(dialog(found, "end"), headers=FROM_SCRIPT).content.decode()
    ended = as_user(confirmer).post(
        dialog(found, "end"), {"evidence": EVIDENCE, "reason": "Read it."}, headers=FROM_SCRIPT
    )

    assert proposed.headers["HX-Redirect"] == ended.headers["HX-Redirect"] == page(found)
    assert EVIDENCE in plain(shown)
    found.refresh_from_db()
    assert (found.proposed_by, found.evidence) == (proposer, EVIDENCE)
    assert (found.ended_by, found.end_reason) == (confirmer, "Read it.")
    assert not recovery.look().is_recovering


def test_who_proposed_it_finds_no_button_to_confirm(in_group: Any) -> None:
    found = begun()
    user = in_group("Approver")
    recovery.propose_end(found.pk, by=user, evidence=EVIDENCE)
    browser = as_user(user)

    shown = browser.get(page(found)).content.decode()
    answer = browser.post(dialog(found, "end"), {"evidence": EVIDENCE, "reason": "Mine."}, headers=FROM_SCRIPT)

    assert dialog(found, "end") not in shown
    assert "You proposed to end it, so another person must confirm." in plain(answer.content.decode())
    assert recovery.look().is_recovering


def test_what_was_not_read_is_not_confirmed(in_group: Any) -> None:
    found = begun()
    recovery.propose_end(found.pk, by=recipes.person.make(), evidence="Nothing was compared.")

    answer = as_user(in_group("Approver")).post(
        dialog(found, "end"), {"evidence": EVIDENCE, "reason": "Read it."}, headers=FROM_SCRIPT
    )

    assert "The evidence has changed since you read it." in plain(answer.content.decode())
    assert recovery.look().is_recovering


@pytest.mark.parametrize("group", ["Operator", "Auditor"])
def test_others_see_it_and_neither_begin_nor_end_it(group: str, as_group: Any) -> None:
    browser = as_group(group)
    found = begun()

    shown = [browser.get(path).content.decode() for path in (OPERATIONS, page(found))]
    answers = [
        browser.post(BEGIN, {"reason": REASON}),
        browser.post(dialog(found, "propose-end"), {"evidence": EVIDENCE}),
        browser.post(dialog(found, "end"), {"evidence": "", "reason": "Read it."}),
    ]

    assert all(REASON in plain(each) and BEGIN not in each for each in shown)
    assert [answer.status_code for answer in answers] == [403] * 3
    assert (Recovery.objects.count(), recovery.look().is_recovering) == (1, True)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
def test_it_asks_for_a_reason(reason: str, as_group: Any) -> None:
    answer = as_group("Approver").post(BEGIN, {"reason": reason}, headers=FROM_SCRIPT)

    assert answer.status_code == 200
    assert not Recovery.objects.exists()


def test_a_get_with_the_form_in_its_address_does_nothing(as_group: Any) -> None:
    found = begun()
    browser = as_group("Approver")

    for path in (BEGIN, dialog(found, "propose-end"), dialog(found, "end")):
        assert browser.get(path, {"reason": "Odd.", "evidence": "Odd."}).status_code == 200

    assert Recovery.objects.filter(proposed_at=None, ended_at=None).count() == 1


def test_the_start_page_tells_of_it(as_group: Any) -> None:
    found = begun()

    shown = as_group("Operator").get("/admin/").content.decode()

    assert "Recovery mode since" in plain(shown)
    assert page(found) in shown


def test_the_start_page_tells_whose_database_it_is(as_group: Any, settings: Any) -> None:
    recovery.look()
    settings.INSTALLATION = "staging"

    shown = plain(as_group("Operator").get("/admin/").content.decode())

    assert "The database belongs to the installation payouts, and this is staging: nothing is paid." in shown
