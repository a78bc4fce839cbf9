"""django-q2's tables: looked at without unpickling anything, and only a schedule's timing changes."""

import base64
import os
import pickle
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Task

from payouts.admin.operations.queue_tables import SCHEDULE_WORDS
from payouts.worker import schedules
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.operations.acts import OPERATIONS
from tests.payouts.worker.queues import use_broker

pytestmark = pytest.mark.django_db


class Bomb:
    """Unpickling it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.path),))


def plant(path: Path) -> str:
    """A failed task and a queued one whose pickles are bombs, written past the models."""
    payload = base64.b64encode(pickle.dumps(Bomb(path))).decode()
    now = timezone.now()
    Task.objects.create(id="a" * 32, name="planted", func="some.func", started=now, stopped=now, success=False)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE django_q_task SET args = %(bomb)s, kwargs = %(bomb)s, result = %(bomb)s", {"bomb": payload}
        )
    OrmQ.objects.create(key="payouts", payload=payload, lock=now)
    return payload


def test_the_planted_pickle_would_go_off_where_pickles_are_loaded(tmp_path: Path) -> None:
    payload = plant(tmp_path / "bomb")

    assert Failure.objects.get().result == payload
    assert not (tmp_path / "bomb").exists()

    pickle.loads(base64.b64decode(payload))

    assert (tmp_path / "bomb").exists()


@pytest.mark.parametrize("path", ["failure", "failure/{task}/change", "ormq", "ormq/{queued}/change", "schedule"])
def test_the_pages_unpickle_nothing(path: str, tmp_path: Path) -> None:
    payload = plant(tmp_path / "bomb")
    filled = path.format(task="a" * 32, queued=OrmQ.objects.get().pk)

    answer = as_user(recipes.superuser.make()).get(f"/admin/django_q/{filled}/")

    assert answer.status_code == 200
    assert payload not in answer.content.decode()
    assert not (tmp_path / "bomb").exists()


def test_a_superuser_neither_adds_nor_deletes_nor_changes_tasks(tmp_path: Path) -> None:
    plant(tmp_path / "bomb")
    browser = as_user(recipes.superuser.make())
    queued = OrmQ.objects.get()

    for model, key in (("failure", "a" * 32), ("ormq", queued.pk), ("schedule", Schedule.objects.first().pk)):
        path = f"/admin/django_q/{model}"
        assert browser.post(f"{path}/add/", {}).status_code == 403
        assert browser.post(f"{path}/{key}/delete/", {"post": "yes"}).status_code == 403
    assert browser.post(f"/admin/django_q/failure/{'a' * 32}/change/", {}).status_code == 403
    assert browser.post(f"/admin/django_q/ormq/{queued.pk}/change/", {"payload": "x"}).status_code == 403
    assert browser.get("/admin/django_q/success/").status_code == 404
    assert not (tmp_path / "bomb").exists()


@pytest.fixture
def audit() -> Schedule:
    schedules.register()
    return Schedule.objects.get(name="audit")


def timing(**changed: Any) -> dict[str, Any]:
    return {"schedule_type": Schedule.CRON, "minutes": "", "cron": "10 4 * * *"} | changed


def test_only_the_timing_of_a_schedule_changes(audit: Schedule, as_group: Any) -> None:
    before = (audit.func, audit.name, audit.args, audit.kwargs, audit.hook, audit.repeats)

    as_group("Admin").post(
        f"/admin/django_q/schedule/{audit.pk}/change/",
        timing(func="os.system", name="x", args="'id'", kwargs="a=1", hook="os.system", repeats="7", next_run="x"),
    )

    audit.refresh_from_db()
    assert audit.cron == "10 4 * * *"
    assert audit.next_run is not None
    assert (audit.next_run.hour, audit.next_run.minute) == (4, 10)
    assert (audit.func, audit.name, audit.args, audit.kwargs, audit.hook, audit.repeats) == before


@pytest.mark.parametrize(
    "changed",
    [
        {"cron": "every day"},
        {"cron": ""},
        {"cron": "61 4 * * *"},
        {"schedule_type": "I"},
        {"schedule_type": "I", "minutes": "0"},
        {"schedule_type": "O"},
        {"schedule_type": "??"},
    ],
)
def test_a_timing_that_cannot_work_is_refused(changed: dict[str, str], audit: Schedule, as_group: Any) -> None:
    answer = as_group("Admin").post(f"/admin/django_q/schedule/{audit.pk}/change/", timing(**changed))

    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors
    assert Schedule.objects.get(pk=audit.pk).cron == audit.cron


def test_an_auditor_looks_and_changes_nothing(audit: Schedule, as_group: Any) -> None:
    browser = as_group("Auditor")

    assert "payouts.tasks.audit" in browser.get("/admin/django_q/schedule/").content.decode()
    assert browser.post(f"/admin/django_q/schedule/{audit.pk}/change/", timing()).status_code == 403


@pytest.mark.parametrize("group", ["Operator", "Approver"])
def test_others_do_not_see_the_queue(group: str, as_group: Any) -> None:
    browser = as_group(group)

    for model in ("schedule", "failure", "ormq"):
        assert browser.get(f"/admin/django_q/{model}/").status_code == 403


def test_schedules_say_when_they_run_next_and_how_the_last_run_ended(as_group: Any) -> None:
    schedules.register()
    now = timezone.now()
    Schedule.objects.filter(name="audit").update(task="a" * 32)
    Schedule.objects.filter(name="prune").update(task="b" * 32)
    Task.objects.create(id="a" * 32, name="x", func="payouts.tasks.audit", started=now, stopped=now, success=False)

    answer = as_group("Auditor").get(OPERATIONS)
    shown = {row["name"]: row for row in answer.context["schedules"]}
    rows = {name: shown[str(words)] for name, words in SCHEDULE_WORDS.items()}

    assert (set(rows), len(shown)) == (set(schedules.SCHEDULES), len(rows))
    assert "Ended in failure" in rows["audit"]["result"]
    assert "No failure" in rows["prune"]["result"]
    assert "Has not run yet" in rows["count days"]["result"]
    assert all(row["next"] and row["url"] for row in rows.values())
    assert answer.context["queue"]["failures"] == "1"


@pytest.mark.parametrize("group", ["Operator", "Approver"])
def test_who_may_not_see_the_queue_gets_no_links_into_it(group: str, as_group: Any) -> None:
    schedules.register()

    text = as_group(group).get(OPERATIONS).content.decode()

    assert "Adds up what was paid on past days" in text
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


def test_how_many_tasks_wait_is_not_told_while_their_queue_is_away(
    as_group: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with use_broker("redis", settings, monkeypatch, is_away=True):
        answer = as_group("Operator").get(OPERATIONS)

    assert answer.status_code == 200
    assert (answer.context["queue"]["waiting"], answer.context["queue"]["taken"]) == ("–", "–")
