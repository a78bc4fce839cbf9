"""What stops payments, told at the top of the start page."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from payouts.actions import pauses, wrong_accounts
from payouts.checkpoints import make
from payouts.models import WRONG_ACCOUNT_FOR, AuditRun, Breaker, Checkpoint, Heartbeat, WrongAccount
from payouts.providers import TEST_MISMATCH, Answer, Verdict
from payouts.providers.yookassa.reasons import SAYS_TEST
from payouts.worker import broker, pump
from tests import recipes
from tests.payouts.admin.text import plain
from tests.payouts.figures.scraped import scraped
from tests.payouts.observe import by_hand
from tests.recipes import pending_payout

pytestmark = pytest.mark.django_db


def test_a_paused_a_silent_provider_and_a_broken_invariant_are_told_at_the_top(as_group: Any) -> None:
    Heartbeat.objects.create(cluster="one")
    pauses.pause("elsewhere", by=recipes.person.make(username="olga"), reason="Wrong accounts.")
    Breaker.objects.create(provider="http", failures=12, open_until=timezone.now() + timedelta(minutes=1))
    AuditRun.objects.create(broken_count=3, findings=[], finished_at=timezone.now())

    text = plain(as_group("Operator").get("/admin/").content.decode())

    assert "olga paused the provider elsewhere at" in text
    assert "“Wrong accounts.” Its payouts wait until another person resumes it." in text
    assert "The provider http does not answer (12 failures in a row)." in text
    assert "The last audit found 3 broken invariants." in text
    assert "No cluster is alive" not in text


def test_a_paused_provider_that_does_not_answer_either_is_told_once(as_group: Any) -> None:
    pauses.pause("http", by=recipes.person.make(), reason="Wrong accounts.")
    Breaker.objects.create(provider="http", failures=12, open_until=timezone.now() + timedelta(minutes=1))

    text = plain(as_group("Operator").get("/admin/").content.decode())

    assert "paused the provider http at" in text
    assert "does not answer" not in text


def test_an_account_that_is_not_what_its_settings_say_is_told_for_a_day(as_group: Any) -> None:
    wrong = Answer(Verdict.UNKNOWN, code=TEST_MISMATCH, message=SAYS_TEST)
    wrong_accounts.note([("main", wrong)])
    browser = as_group("Operator")

    text = plain(browser.get("/admin/").content.decode())
    WrongAccount.objects.update(last_at=timezone.now() - WRONG_ACCOUNT_FOR - timedelta(minutes=1))
    later = plain(browser.get("/admin/").content.decode())

    assert "The account main is not what its settings say, last at" in text
    assert "The account is live, but YooKassa paid with test money." in text
    assert "is not what its settings say" not in later


def test_that_no_cluster_is_alive_is_told(as_group: Any) -> None:
    Heartbeat.objects.create(cluster="gone", beat_at=timezone.now() - timedelta(hours=1))

    assert "No cluster is alive: nothing is paid." in as_group("Operator").get("/admin/").content.decode()


def test_a_person_whom_sql_changed_is_named(as_group: Any) -> None:
    recipes.person.make(username="ivan")
    by_hand("UPDATE auth_user SET is_superuser = true WHERE username = 'ivan'")

    page = as_group("Operator").get("/admin/").content.decode()

    assert "Not what the back office stored, so without any rights: ivan." in page


def test_checkpoints_that_are_not_outside_are_told(as_group: Any, settings: Any) -> None:
    settings.CHECKPOINTS = "/anchors"
    make.make()
    browser = as_group("Operator")
    assert "in the database alone" not in browser.get("/admin/").content.decode()

    Checkpoint.objects.update(made_at=timezone.now() - timedelta(hours=3))

    assert "1 checkpoint is in the database alone." in browser.get("/admin/").content.decode()


def test_a_cluster_whose_keys_do_not_fit_is_named(as_group: Any, settings: Any, monkeypatch: Any) -> None:
    pending_payout()
    Heartbeat.objects.create(cluster="one")
    monkeypatch.setattr(broker, "progress", broker.Progress("one"))
    settings.INDEX_KEY, ours = "another key, which is long enough to pass", settings.INDEX_KEY

    pump.run()

    settings.INDEX_KEY = ours
    assert "it pays nothing: one." in as_group("Operator").get("/admin/").content.decode()
    Heartbeat.objects.update(unfit_at=timezone.now() - timedelta(minutes=3))
    assert "it pays nothing" not in as_group("Operator").get("/admin/").content.decode()


def test_a_cluster_that_does_not_start_because_of_its_keys_is_told_of(as_group: Any, settings: Any) -> None:
    """It is tried again and again, and is the same cluster each time."""
    settings.INDEX_KEY, ours = "another key, which is long enough to pass", settings.INDEX_KEY
    for _each in range(2):
        with pytest.raises(CommandError, match="INDEX_KEY"):
            call_command("cluster")

    settings.INDEX_KEY = ours
    found = scraped()

    assert (found.value("clusters_unfit"), found.value("clusters_alive")) == (1, 0)
    name = Heartbeat.objects.get().cluster
    assert f"it pays nothing: {name}." in as_group("Operator").get("/admin/").content.decode()


def test_a_provider_that_does_not_answer_is_told_on_the_start_page(as_group: Any) -> None:
    browser = as_group("Operator")
    before = browser.get("/admin/").content.decode()
    breaker = Breaker.objects.create(provider="http", failures=12, open_until=timezone.now() + timedelta(seconds=30))
    during = browser.get("/admin/").content.decode()
    Breaker.objects.filter(pk=breaker.pk).update(open_until=timezone.now() - timedelta(seconds=30))
    late = browser.get("/admin/").content.decode()

    assert "does not answer" not in before
    assert "The provider http does not answer (12 failures in a row)" in during
    assert "Next try on" in during
    assert "The next due payout tries it again." in late
