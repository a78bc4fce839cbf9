"""The operations page, and pausing a provider from it: one person stops, another lets it go on."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task

from payouts.actions import pauses
from payouts.models import AuditRun, Breaker, Heartbeat, ProviderPause
from payouts.statements import read
from payouts.worker import schedules
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.operations.test_queue_tables import plant
from tests.payouts.admin.test_dashboard import plain
from tests.payouts.admin.urls import page
from tests.recipes import make_due, pending_payout

pytestmark = pytest.mark.django_db

OPERATIONS = "/admin/operations/"
PAUSE = "/admin/payouts/providerpause/pause/http/"
FROM_SCRIPT = {"HX-Request": "true"}


def resume(found: ProviderPause) -> str:
    return f"/admin/payouts/providerpause/{found.pk}/resume/"


def paused(**given: Any) -> ProviderPause:
    return pauses.pause("http", by=recipes.person.make(**given), reason="It pays to the wrong accounts.")


def provider(browser: Client, name: str = "http") -> dict[str, Any]:
    return {row["name"]: row for row in browser.get(OPERATIONS).context["providers"]}[name]


# Who sees it


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


# What it says


def test_backlog_and_flight_are_counted_by_provider(as_group: Any) -> None:
    recipes.accepted_payout()
    make_due(pending_payout())
    pending_payout()

    answer = as_group("Operator").get(OPERATIONS)

    due, flight, unknown = answer.context["cards"]
    assert (due["count"], flight["count"], unknown["count"]) == ("2", "1", "0")
    assert "over the norm of 5 min" in due["age"]
    row = answer.context["providers"][0]
    assert (row["name"], row["due"], row["in_flight"]) == ("http", "2", "1")


def test_unknown_outcomes_are_counted_with_their_sums(as_group: Any) -> None:
    recipes.unknown_payout()
    recipes.unknown_payout(currency="EUR")

    unknown = as_group("Operator").get(OPERATIONS).context["cards"][2]

    assert (unknown["count"], unknown["sums"]) == ("2", ["100.50\u00a0EUR", "100.50\u00a0RUB"])


def test_rates_are_of_the_attempts_that_ended(as_group: Any) -> None:
    for _each in range(2):
        recipes.processed_payout()
    recipes.failed_payout()
    recipes.unknown_payout()

    row = provider(as_group("Operator"))

    assert (row["hour"].share, row["hour"].of) == ("66.6%", "of 3")
    assert (row["hour"].succeeded, row["day"].ended) == (2, 3)
    assert row["hour"].median.endswith("s")


def test_a_rate_of_nothing_is_no_number(as_group: Any) -> None:
    row = provider(as_group("Operator"))

    assert (row["hour"].share, row["hour"].of, row["hour"].median) == ("–", "no attempt ended", "–")


@pytest.mark.parametrize(
    ("state", "badge", "words"),
    [
        ({}, "Answering", "Calls go through."),
        ({"failures": 3}, "Stumbles", "3 failures in a row; calls go on."),
        ({"failures": 12, "open_until": 60}, "Not answering", "12 failures in a row; no calls before"),
        ({"failures": 12, "open_until": -1}, "Not answering", "the next payout that is due tries it again."),
        ({"failures": 12, "open_until": 60, "probing_since": 0}, "Not answering", "one payout tries it just now."),
    ],
)
def test_the_breaker_is_told_in_words(state: dict[str, int], badge: str, words: str, as_group: Any) -> None:
    times = {name: timezone.now() + timedelta(seconds=value) for name, value in state.items() if name != "failures"}
    Breaker.objects.create(provider="http", failures=state.get("failures", 0), **times)

    row = provider(as_group("Operator"))

    assert badge in row["badge"]
    assert words in row["said"]


def test_clusters_say_whether_they_live(as_group: Any) -> None:
    Heartbeat.objects.create(cluster="alive")
    Heartbeat.objects.create(cluster="gone", beat_at=timezone.now() - timedelta(hours=1))

    rows = as_group("Operator").get(OPERATIONS).context["clusters"]

    assert [(row["name"], row["is_alive"]) for row in rows] == [("alive", True), ("gone", False)]


def test_schedules_say_when_they_run_next_and_how_the_last_run_ended(as_group: Any) -> None:
    schedules.register()
    now = timezone.now()
    Schedule.objects.filter(name="audit").update(task="a" * 32)
    Schedule.objects.filter(name="prune").update(task="b" * 32)
    Task.objects.create(id="a" * 32, name="x", func="payouts.tasks.audit", started=now, stopped=now, success=False)

    answer = as_group("Auditor").get(OPERATIONS)
    rows = {row["name"]: row for row in answer.context["schedules"]}

    assert set(rows) == set(schedules.SCHEDULES)
    assert "Ended in failure" in rows["audit"]["result"]
    assert "No failure" in rows["prune"]["result"]
    assert "Has not run yet" in rows["count days"]["result"]
    assert all(row["words"] and row["next"] and row["url"] for row in rows.values())
    assert answer.context["queue"]["failures"] == "1"


@pytest.mark.parametrize("group", ["Operator", "Approver"])
def test_who_may_not_see_the_queue_gets_no_links_into_it(group: str, as_group: Any) -> None:
    schedules.register()

    text = as_group(group).get(OPERATIONS).content.decode()

    assert "count days" in text
    assert "/admin/django_q/" not in text


def test_the_page_unpickles_nothing(tmp_path: Path, as_group: Any) -> None:
    plant(tmp_path / "bomb")
    Schedule.objects.create(name="planted", func="some.func", task="a" * 32)

    answer = as_group("Admin").get(OPERATIONS)

    assert answer.status_code == 200
    assert answer.context["queue"]["failures"] == "1"
    assert not (tmp_path / "bomb").exists()


def test_queued_tasks_are_told_from_running_ones(as_group: Any) -> None:
    now = timezone.now()
    OrmQ.objects.create(key="payouts", payload="x", lock=now - timedelta(seconds=5))
    OrmQ.objects.create(key="payouts", payload="x", lock=now + timedelta(minutes=5))

    queue = as_group("Operator").get(OPERATIONS).context["queue"]

    assert (queue["waiting"], queue["taken"]) == ("1", "1")


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"finished_at": 0}, "Every invariant holds"),
        ({}, "Running"),
        ({"seen_at": -3600}, "Broken off"),
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


# Pause and resume


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

    assert "It is paused already by olga." in answer.content.decode()
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

    assert "The provider http is paused: it waits until somebody resumes the provider." in texts[0]
    assert "The provider http is paused: it is asked again when somebody has resumed it." in texts[1]
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
    assert "is paused: it is asked again when somebody has resumed it." in shown
