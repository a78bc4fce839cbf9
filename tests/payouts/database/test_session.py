"""What a session at the server must be like before anything starts on it; the drill `pooler` has a real PgBouncer."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings as ours
from django.db import connection

from payouts.actions import recovery
from payouts.database import session
from tests.payouts.providers.programs import ROOT

TELL = (
    "import json; from django.conf import settings as s; d = s.DATABASES['default'];"
    " print(json.dumps([d['DISABLE_SERVER_SIDE_CURSORS'],"
    " d['OPTIONS'].get('options'), d['OPTIONS']['prepare_threshold']]))"
)


@pytest.mark.django_db
def test_sessions_are_as_they_ask_to_be() -> None:
    assert session.why_unfit() == ""


@pytest.mark.django_db
@pytest.mark.parametrize("name", session.TIMES)
@pytest.mark.parametrize("seconds", [0, 3_600])
def test_a_time_out_that_is_not_in_force_stops_the_start(name: str, seconds: int, settings: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL {name} = '{seconds}s'")

    asked = ours.DATABASE_SESSION[name]
    assert f"{name} is {seconds * 1000} ms and must be from 1 to {asked}" in recovery.why_not_start()
    assert "roles.sql" not in recovery.why_not_start()
    settings.DATABASE_POOLER = "transaction"
    assert "Run deploy/sql/roles.sql" in recovery.why_not_start()


@pytest.mark.django_db
def test_behind_a_pooler_a_role_may_have_less_time(settings: Any) -> None:
    settings.DATABASE_POOLER = "transaction"
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '5s'")

    assert session.why_unfit() == ""


def told(pooler: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", TELL],
        cwd=ROOT,
        env=os.environ | {"DATABASE_POOLER": pooler},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_behind_a_pooler_a_session_asks_for_nothing_and_keeps_nothing() -> None:
    assert json.loads(told("transaction").stdout) == [True, None, None]

    has_cursors, options, threshold = json.loads(told("").stdout)
    assert (has_cursors, threshold) == (False, 2)
    assert "-c statement_timeout=30000 -c lock_timeout=10000" in options


def test_another_kind_of_pooler_is_refused_with_a_sentence() -> None:
    assert "DATABASE_POOLER must be empty, or transaction, and is statement." in told("statement").stderr


TELL_OF_STANDBY = (
    "import json; from django.conf import settings as s; d = s.DATABASES['replica'];"
    " print(json.dumps([d['HOST'], d['TEST'], d['OPTIONS'].get('options'), d['OPTIONS']['prepare_threshold'],"
    " s.DATABASES['default']['HOST']]))"
)


@pytest.mark.parametrize(("pooler", "threshold"), [("", 2), ("transaction", None)])
def test_a_session_at_a_standby_may_only_read_unless_a_pooler_drops_what_it_asks(
    pooler: str, threshold: int | None
) -> None:
    """Where it does, the standby itself refuses to write."""
    given = {"DATABASE_POOLER": pooler, "DATABASE_REPLICA_URL": "postgres://payouts_app:word@standby.test/payouts"}
    program = [sys.executable, "-c", TELL_OF_STANDBY]

    said = subprocess.check_output(program, cwd=ROOT, env=os.environ | given, text=True, timeout=60)

    host, test, options, prepared_after, primary = json.loads(said)
    assert (host, test, prepared_after) == ("standby.test", {"MIRROR": "default"}, threshold)
    assert ("-c default_transaction_read_only=on" in (options or "")) == (not pooler)
    assert primary == "127.0.0.1"
