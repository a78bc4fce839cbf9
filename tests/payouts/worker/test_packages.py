"""What SQL can write into q2's tables: no pickle of it is loaded, and no function of its choice is called."""

import base64
import inspect
import json
import pickle
import queue
from collections.abc import Callable
from multiprocessing import Event
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import signing
from django.db import connection
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import OrmQ, Task
from django_q.monitor import monitor
from django_q.pusher import pusher
from django_q.tasks import async_task

from payouts import tasks
from payouts.worker import packages

pytestmark = pytest.mark.django_db

ID = "a" * 32


class Hostile:
    """Makes a folder as soon as somebody loads its pickle."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Path]]:
        return Path.mkdir, (self.trace,)


class HostilePickle:
    """In place of q2's serializer: signs what would make the folder."""

    @staticmethod
    def dumps(trace: Any) -> bytes:
        return pickle.dumps(Hostile(trace))


@pytest.fixture(autouse=True)
def _connections_stay_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_q.monitor.close_old_django_connections", lambda: None)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "was run"


def put_in(trace: Path, *, hook: str | None = None) -> None:
    """A failed task written by SQL, every pickle of it hostile."""
    hostile = base64.b64encode(pickle.dumps(Hostile(trace))).decode()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_q_task (id, name, func, hook, args, kwargs, result, started, stopped, success,"
            " attempt_count) VALUES (%s, 'x', 'payouts.tasks.audit', %s, %s, %s, %s, now(), now(), false, 1)",
            [ID, hook, hostile, hostile, hostile],
        )


def save_failure() -> None:
    """What q2's monitor does with a task that has failed, by its own code."""
    results: queue.Queue[Any] = queue.Queue()
    failed = {"id": ID, "name": "x", "func": "payouts.tasks.audit", "args": (), "kwargs": {}, "success": False}
    results.put(failed | {"result": "no", "started": timezone.now(), "stopped": timezone.now()})
    results.put("STOP")
    monitor(results, get_broker())


def pushed(payload: str) -> list[Any]:
    """The tasks that q2's pusher gives to workers when this stands in the queue, by its own code."""
    OrmQ.objects.create(key="payouts", payload=payload, lock=timezone.now())
    given: queue.Queue[Any] = queue.Queue()
    last = Event()
    last.set()
    pusher(given, last, get_broker())
    return list(given.queue)


def signed(content: Any, serializer: Any = signing.JSONSerializer) -> str:
    """Signed as q2 does it, by somebody who knows SECRET_KEY."""
    return signing.dumps(content, key=django_settings.SECRET_KEY, salt="payouts", serializer=serializer)


def test_a_task_of_sqls_is_not_unpickled_when_its_like_fails(trace: Path) -> None:
    """Shown before: the cluster's monitor looked for the failed task's row, and ran the pickle that stood there."""
    put_in(trace)

    save_failure()

    assert not trace.exists()
    assert Task.objects.get().attempt_count == 2


def test_a_hook_of_sqls_is_not_called(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Shown before: q2 imported and called what the row names."""
    put_in(trace, hook="builtins.print")

    save_failure()

    assert capsys.readouterr().out == ""


@pytest.mark.django_db(transaction=True)
def test_deleting_old_results_unpickles_nothing(trace: Path) -> None:
    put_in(trace)
    Task.objects.update(stopped="2020-01-01T00:00:00Z")

    tasks.prune()

    assert not Task.objects.exists()
    assert not trace.exists()


def test_a_pickle_in_the_queue_is_not_run_even_when_it_is_signed(trace: Path) -> None:
    """Shown before: SQL and Django's SECRET_KEY together were code execution in the cluster."""
    payload = signed(trace, HostilePickle)

    assert pushed(payload) == []
    assert OrmQ(payload=payload).task == {"id": "*BadSignature"}
    assert not trace.exists()
    assert not OrmQ.objects.exists()


def as_listed(**changes: Any) -> dict[str, Any]:
    started = timezone.now().isoformat()
    return {"id": ID, "name": "x", "func": "payouts.tasks.audit", "args": [1, 2], "started": started} | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"func": "os.system", "args": ["true"]},
        {"func": "payouts.tasks.async_task", "args": ["os.system"]},
        {"func": "payouts.tasks._report"},
        {"kwargs": {"a": 1}},
        {"args": [[1]]},
        {"hook": "os.system"},
        {"chain": []},
        {"sync": True},
        {"id": 1},
    ],
    ids=str,
)
def test_only_a_listed_task_with_plain_arguments_is_run(changes: dict[str, Any]) -> None:
    assert pushed(signed(as_listed(**changes))) == []


def test_a_listed_task_is_run() -> None:
    [task] = pushed(signed(as_listed()))

    assert (task["func"], tuple(task["args"]), task["kwargs"]) == ("payouts.tasks.audit", (1, 2), {})


def test_what_we_send_stands_in_the_queue_as_json() -> None:
    async_task("payouts.tasks.sweep", "east-1")

    payload = OrmQ.objects.get().payload
    text = signing.loads(payload, key=django_settings.SECRET_KEY, salt="payouts")

    assert (text["func"], text["args"]) == ("payouts.tasks.sweep", ["east-1"])
    assert json.dumps(text)


def test_our_own_code_can_send_nothing_else() -> None:
    with pytest.raises(TypeError):
        async_task("payouts.tasks.sweep", {"a": 1})
    with pytest.raises(TypeError):
        async_task("payouts.tasks.nothing_of_ours")

    assert not OrmQ.objects.exists()


def test_the_listed_tasks_are_those_of_the_module() -> None:
    own = inspect.getmembers(tasks, lambda each: inspect.isfunction(each) and each.__module__ == tasks.__name__)

    assert {f"payouts.tasks.{name}" for name, _function in own if not name.startswith("_")} == packages.TASKS
