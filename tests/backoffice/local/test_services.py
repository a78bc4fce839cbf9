"""Both services together: which are used, who may enter, and when they end."""

import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from backoffice.local import postgres
from backoffice.local.services import local_services, throwaway_services
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_throwaway_services_answer_and_leave_nothing_behind():
    with throwaway_services() as started:
        with psycopg.connect(started.database) as connection:
            row = connection.execute(
                "SELECT lower('ОПЛАТА'), rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
        with psycopg.connect(started.application) as connection:
            least = connection.execute(
                "SELECT current_user::text, rolsuper, rolcreatedb, has_schema_privilege('public', 'CREATE')"
                " FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
        with redis.Redis.from_url(started.redis) as client:
            client.set("key", "value")
            value = client.get("key")
        folder = started.servers["redis"].log.parent
        processes = [server.process for server in started.servers.values()]

    assert row == ("оплата", False, True)
    assert least == ("payouts_app", False, False, False)
    assert value == b"value"
    assert [process.returncode for process in processes] == [0, 0]
    assert not folder.exists()


def test_both_servers_refuse_whoever_has_no_password():
    with throwaway_services() as started:
        database = psycopg.conninfo.conninfo_to_dict(started.database)
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(**(database | {"password": "guess"}))
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(**(database | {"user": "postgres", "password": ""}))
        port = started.redis.rpartition(":")[2].split("/")[0]
        with redis.Redis(port=int(port), retry=None) as client, pytest.raises(redis.AuthenticationError):
            client.ping()


def test_services_of_the_environment_are_used_as_they_are(directory, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://elsewhere/payouts")
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere/0")

    with local_services(directory) as started:
        assert (started.database, started.redis) == ("postgres://elsewhere/payouts", "redis://elsewhere/0")
        assert started.application == started.database
        assert started.servers == {}


def test_the_wheels_serve_where_the_machine_has_nothing(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(postgres, "FOLDERS", ())

    with throwaway_services() as started:
        with psycopg.connect(started.database) as connection:
            row = connection.execute("SELECT lower('ОПЛАТА')").fetchone()
        notes = [server.note for server in started.servers.values()]

    assert row == ("оплата",)
    assert all("of the wheel" in note for note in notes)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_a_killed_parent_leaves_no_server(directory):
    script = (
        "import sys, time; from pathlib import Path\n"
        "from backoffice.local.postgres import NOT_DURABLE\n"
        "from backoffice.local.services import local_services\n"
        "with local_services(Path(sys.argv[1]), postgres_options=NOT_DURABLE) as started:\n"
        "    print(*(server.process.pid for server in started.servers.values()), flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(directory)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        running = [is_running(pid) for pid in pids]

        parent.send_signal(signal.SIGKILL)

    assert running == [True, True]
    wait_until(lambda: not any(map(is_running, pids)), "both have ended")
