"""Pausing a provider: one person stops, another lets it go on."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission

from payouts.actions import pauses
from payouts.models import ProviderPause
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.operations.acts import OPERATIONS, provider
from tests.payouts.admin.text import plain
from tests.payouts.admin.urls import page
from tests.recipes import pending_payout

pytestmark = pytest.mark.django_db

PAUSE = "/admin/payouts/providerpause/pause/http/"
FROM_SCRIPT = {"HX-Request": "true"}


def resume(found: ProviderPause) -> str:
    return f"/admin/payouts/providerpause/{found.pk}/resume/"


def paused(**given: Any) -> ProviderPause:
    return pauses.pause("http", by=recipes.person.make(**given), reason="It pays to the wrong accounts.")


@pytest.mark.parametrize("group", ["Approver", "Admin"])
def test_one_person_pauses_a_provider_by_its_dialog(group: str, in_group: Any) -> None:
    user = in_group(group)
    browser = as_user(user)

    shown = browser.get(PAUSE, headers=FROM_SCRIPT)
    done = browser.post(PAUSE, {"reason": "It pays to the wrong accounts."}, headers=FROM_SCRIPT)

    assert "Provider http" in plain(shown.content.decode())
    assert done.headers["HX-Redirect"] == OPERATIONS
    made = ProviderPause.objects.get()
    assert (made.provider, made.paused_by, made.pause_reason) == ("http", user, "It pays to the wrong accounts.")
    row = provider(browser)
    assert "Paused" in row["badge"]
    assert "It pays to the wrong accounts." in row["said"]
    assert "You paused it, so another person must resume it." in browser.get(OPERATIONS).content.decode()


@pytest.mark.parametrize("group", ["Operator", "Auditor"])
def test_others_neither_pause_nor_resume(group: str, as_group: Any) -> None:
    browser = as_group(group)

    first = browser.get(OPERATIONS).content.decode()
    answers = [browser.get(PAUSE), browser.post(PAUSE, {"reason": "Odd."})]
    found = paused()
    answers += [browser.get(resume(found)), browser.post(resume(found), {"reason": "Fine."})]
    second = browser.get(OPERATIONS).content.decode()

    assert [answer.status_code for answer in answers] == [403] * 4
    assert ProviderPause.objects.get().resumed_at is None
    assert PAUSE not in first
    assert resume(found) not in second


def test_the_permission_without_the_right_to_see_pauses_opens_no_dialog() -> None:
    user = recipes.person.make()
    user.user_permissions.set(Permission.objects.exclude(codename="view_providerpause"))
    found = paused()
    browser = as_user(user)

    for path in (PAUSE, resume(found)):
        assert browser.post(path, {"reason": "Odd."}).status_code == 403
    assert ProviderPause.objects.get().resumed_at is None


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
def test_both_ask_for_a_reason(reason: str, as_group: Any) -> None:
    browser = as_group("Approver")
    found = pauses.pause("elsewhere", by=recipes.person.make(), reason="Odd.")

    answers = [browser.post(path, {"reason": reason}, headers=FROM_SCRIPT) for path in (PAUSE, resume(found))]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert pauses.paused_providers() == ["elsewhere"]


def test_a_get_with_the_form_in_its_address_does_nothing(as_group: Any) -> None:
    browser = as_group("Approver")
    found = pauses.pause("elsewhere", by=recipes.person.make(), reason="Odd.")

    for path in (PAUSE, resume(found)):
        assert browser.get(path, {"reason": "Odd."}).status_code == 200

    assert pauses.paused_providers() == ["elsewhere"]


def test_the_second_click_is_told_who_was_first(in_group: Any) -> None:
    found = paused(username="olga")
    browser = as_user(in_group("Approver"))

    answer = browser.post(PAUSE, {"reason": "Odd."}, headers=FROM_SCRIPT)

    assert "olga has already paused it." in answer.content.decode()
    assert ProviderPause.objects.get() == found


def test_a_provider_that_nobody_knows_cannot_be_paused(as_group: Any) -> None:
    answer = as_group("Admin").post(PAUSE.replace("http", "nobody"), {"reason": "Odd."})

    assert answer.status_code == 404
    assert not ProviderPause.objects.exists()


def test_another_person_resumes_it(in_group: Any) -> None:
    found = paused()
    user = in_group("Approver")
    browser = as_user(user)

    shown = plain(browser.get(resume(found), headers=FROM_SCRIPT).content.decode())
    done = browser.post(resume(found), {"reason": "They mended it."}, headers=FROM_SCRIPT)

    found.refresh_from_db()
    assert "It pays to the wrong accounts." in shown
    assert done.headers["HX-Redirect"] == OPERATIONS
    assert (found.resumed_by, found.resume_reason) == (user, "They mended it.")
    text = plain(browser.get(OPERATIONS).content.decode())
    assert f"Resumed by {user.username}" in text
    assert "They mended it." in text
    assert "paused for under 1 min" in text


@pytest.mark.parametrize("make", ["person", "superuser"])
def test_who_paused_it_is_refused_in_words_whoever_it_is(make: str, in_group: Any) -> None:
    user = in_group("Admin") if make == "person" else recipes.superuser.make()
    found = pauses.pause("http", by=user, reason="Odd.")
    browser = as_user(user)

    shown = browser.get(resume(found), headers=FROM_SCRIPT).content.decode()
    answer = browser.post(resume(found), {"reason": "Fine."}, headers=FROM_SCRIPT)

    assert "You paused it, so another person must resume it." in shown
    assert "<textarea" not in shown
    assert "You paused it, so another person must resume it." in answer.content.decode()
    assert ProviderPause.objects.get().resumed_at is None


def test_pauses_are_listed_and_change_by_their_dialogs_alone(as_group: Any) -> None:
    found = paused(username="olga")
    browser = as_group("Admin")
    address = f"/admin/payouts/providerpause/{found.pk}/"

    assert "olga" in browser.get("/admin/payouts/providerpause/").content.decode()
    assert "Resume" in browser.get(f"{address}change/").content.decode()
    assert browser.post(f"{address}change/", {"pause_reason": "x"}).status_code == 403
    assert browser.post(f"{address}delete/", {"post": "yes"}).status_code == 403
    assert browser.post("/admin/payouts/providerpause/add/", {}).status_code == 403
    found.refresh_from_db()
    assert found.pause_reason == "It pays to the wrong accounts."


def test_payouts_say_that_their_provider_is_paused(as_group: Any) -> None:
    ready, unknown, waiting = pending_payout(), recipes.unknown_payout(), recipes.awaiting_payout()
    paused()
    browser = as_group("Operator")

    texts = [browser.get(page(payout)).content.decode() for payout in (ready, unknown, waiting)]

    assert "The provider http is paused. The payout waits until somebody resumes the provider." in texts[0]
    assert "The provider http is paused. It will be asked again when somebody resumes it." in texts[1]
    assert "is paused" not in texts[2]


def test_a_paused_provider_cannot_be_asked_now(as_group: Any) -> None:
    payout = recipes.unknown_payout()
    browser = as_group("Admin")
    address = f"/admin/payouts/payout/{payout.pk}/ask-now/"
    before = address in browser.get(page(payout)).content.decode()
    paused()

    shown = browser.get(address, headers=FROM_SCRIPT).content.decode()

    assert before
    assert address not in browser.get(page(payout)).content.decode()
    assert "is paused. It will be asked again when somebody resumes it." in shown
