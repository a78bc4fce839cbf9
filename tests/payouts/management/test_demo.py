"""`manage.py demo`: an honest past, the same logins every time, and only in development."""

import json
import stat
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from payouts import clients
from payouts.actions import days
from payouts.audit import broken_invariants
from payouts.management.commands import demo
from payouts.models import Attempt, Attention, Payout, ReconciledDay
from payouts.states import Stage
from tests.databases import as_owner
from tests.payouts.admin.urls import LIST

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _every_ring_is_heard() -> None:
    """Rings go through the shared cache here, as they do in production."""


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Path:
    settings.DEBUG = True
    path = tmp_path / "var" / "demo.json"
    monkeypatch.setattr(demo, "KEPT", path)
    return path


def load(*options: str) -> dict[str, Any]:
    out = StringIO()
    with as_owner():
        call_command("demo", *options, stdout=out)
    (line,) = out.getvalue().splitlines()
    printed: dict[str, Any] = json.loads(line)
    return printed


def test_the_demo_is_a_past_in_which_every_invariant_holds(kept: Path) -> None:
    printed = load()

    assert list(broken_invariants()) == []
    assert 150 <= Payout.objects.count() <= 300
    stages = {payout.stage for payout in Payout.objects.all()}
    assert stages >= set(Stage) - {Stage.READY, Stage.RETURNED}
    assert Payout.objects.in_stage(Stage.READY).count() <= 10
    assert Payout.objects.exclude(attention=Attention.NONE).exists()
    assert not Payout.objects.due().exists()
    assert not OrmQ.objects.exists()
    newest, oldest = (Payout.objects.order_by(order)[0].created_at for order in ("-created_at", "created_at"))
    assert (newest - oldest).days > 14
    assert [name for name, _password in printed["logins"]] == ["operator", "approver", "admin", "auditor"]
    found = clients.find_key(printed["api_key"])
    assert found is not None
    assert len(found.scopes) == 4
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_the_second_time_the_same_logins_are_printed_work_and_nothing_is_loaded() -> None:
    first = load()
    count = Payout.objects.count()

    second = load("--if-empty")

    assert second == first
    assert Payout.objects.count() == count
    name, password = second["logins"][0]
    browser = Client()
    answer = browser.post("/admin/login/", {"username": name, "password": password, "next": LIST})
    assert answer.headers["Location"] == LIST
    assert browser.get(LIST).status_code == 200
    assert not User.objects.filter(is_superuser=True).exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT abs(extract(epoch FROM clock_timestamp() - pg_catalog.clock_timestamp())) < 1")
        assert cursor.fetchone() == (True,)
        cursor.execute("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'demo%'")
        assert cursor.fetchone() == (0,)


def test_production_refuses_the_demo(settings: Any) -> None:
    settings.DEBUG = False

    with pytest.raises(CommandError, match="DJANGO_DEBUG"):
        load()

    assert not User.objects.exists()


def test_an_account_that_declares_what_it_pays_has_a_past_too(settings: Any) -> None:
    settings.PROVIDER_URL = ""
    settings.PROVIDERS = {"main": "yookassa"}
    settings.PROVIDER_VALUES = {"main": {"GATEWAY_ID": "501", "SECRET": "s", "CARD_NUMBERS": "on"}}

    load()

    assert list(broken_invariants()) == []
    assert set(Payout.objects.values_list("currency", "provider")) == {("RUB", "main")}
    assert Payout.objects.latest("amount").amount <= 500_000
    assert not Payout.objects.due().exists()


def test_no_day_of_the_demo_differs_from_what_its_provider_lists(settings: Any) -> None:
    settings.PROVIDER_URL = ""
    settings.PROVIDERS = {"main": "yookassa"}
    settings.PROVIDER_VALUES = {"main": {"GATEWAY_ID": "501", "SECRET": "s", "CARD_NUMBERS": "on"}}

    load()

    days.begin("main", now=timezone.now() + timedelta(days=1))
    paid = Attempt.objects.filter(outcome=Attempt.Outcome.SUCCEEDED).values_list("finished_at", flat=True)
    of_the_demo = {moment.astimezone(ZoneInfo("Europe/Moscow")).date() for moment in paid if moment}
    assert ReconciledDay.objects.filter(closed_at__isnull=False).exists()
    assert not of_the_demo & set(ReconciledDay.objects.filter(closed_at=None).values_list("on", flat=True))
