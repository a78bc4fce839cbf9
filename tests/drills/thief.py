"""A thief has the password of the database as the tables' owner: nothing that SQL writes is paid.

The thief makes a key, a superuser and a right, lowers the bands and raises the limits, lets payouts go, puts an old
row back and deletes a payout with its history; then goes to the API and the login with what was made. Afterwards the
ledger is as it was, and `manage.py audit --against` the checkpoint outside names each of the tampers.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from tests.bench.stand import ROOT, Stand
from tests.drills.calls import Caller, Person
from tests.drills.ground import SHORT_LEASES, Cluster, Drill, Ground, Result, ground, until

SECRET = "a-secret-of-the-thief's-own-making"
PREFIX = "thief0000000"
PAID = "the thief's payouts were paid"
GUARDED = ("payout", "event", "attempt", "approval", "exchange", "checkpoint", "authorityseal", "configurationseal")


@dataclass(frozen=True)
class Tamper:
    """One thing that the thief does; `named` are the findings of which the audit has to have at least one."""

    what: str
    sql: str
    named: tuple[str, ...]
    values: dict[str, Any] = field(default_factory=dict)


def thief(stand: Stand, seconds: float) -> Result:
    with ground(stand, "thief") as here:
        outside = str(Path(here.stack.enter_context(TemporaryDirectory(prefix="payouts-"))) / "anchors")
        here.settings |= {"CHECKPOINTS": outside, "RELEASE_DELAY_SECONDS": "0"}
        provider, hands = here.start_provider(), here.start_hands()
        _web, port = here.start_web(PROVIDER_URL=provider.url)
        made = here.manage("create_api_client", "reader", "--scopes", "payouts:read", "--json").splitlines()[-1]
        reader = json.loads(made)["key"]
        paid: list[int] = hands.do("submit", 4)
        cluster = here.start_cluster(provider, **SHORT_LEASES)
        here.await_processed(4)
        waiting: list[int] = hands.do("submit", 3, amount="2000000.00")
        later: list[int] = hands.do("submit", 1, later_seconds=86_400)
        here.manage("checkpoint")
        ledger = len(provider.payments)
        tampers = _tampers(paid, waiting, later)
        for tamper in tampers:
            _write(here, tamper)
        tries = _tries(here, port, reader)
        until(lambda: "due_before_its_time" in cluster.log, "due_at is put right", say=lambda: cluster.log[-1000:])
        _watch(cluster, seconds)
        cluster.program.stop()
        _write(here, tampers[0])  # again: while nobody claims, the audit alone can name it
        report = _audit(here, outside)
        found = {(each["payout_id"], each["invariant"]) for each in report["broken"]}
        unnamed = [
            tamper.what
            for tamper in tampers
            if not found & {(tamper.values.get("id"), invariant) for invariant in tamper.named}
        ]
        stolen = len(provider.payments) - ledger
        result = Result(
            f"{len(tampers)} tampers by SQL and {len(tries)} ways to use them: {stolen} paid, "
            f"{len(tampers) - len(unnamed)} of {len(tampers)} named by the audit"
        )
        result.expect(not stolen, f"{PAID}: {provider.payments[ledger:]}")
        result.expect(not unnamed, f"not named: {', '.join(unnamed)}; the audit has {sorted(found, key=str)}")
        for what, is_refused in tries.items():
            result.expect(is_refused, f"not refused: {what}")
        return result


def _tampers(paid: list[int], waiting: list[int], later: list[int]) -> list[Tamper]:
    return [
        Tamper(
            "a payout due before its time",
            "UPDATE payouts_payout SET due_at = now() - interval '1 minute' WHERE id = %(id)s",
            ("due_in_time",),
            {"id": later[0]},
        ),
        Tamper(
            "a key inserted",
            "INSERT INTO payouts_apikey (client_id, prefix, secret_hash, scopes, created_at) SELECT id, %(prefix)s,"
            " %(hash)s, '{payouts:read,payouts:write,payouts:settle}', now() FROM payouts_apiclient LIMIT 1",
            ("api_key_sealed",),
            {"prefix": PREFIX, "hash": hashlib.sha256(SECRET.encode()).digest()},
        ),
        Tamper(
            "another scope given to a key",
            "UPDATE payouts_apikey SET scopes = '{payouts:read,payouts:settle,payouts:write}' WHERE scopes ="
            " '{payouts:read}'",
            ("api_key_sealed",),
        ),
        Tamper(
            "a client's owner taken away",
            "UPDATE payouts_apiclient SET owner_id = (SELECT min(id) FROM auth_user)",
            ("client_sealed",),
        ),
        Tamper(
            "the bands lowered", "UPDATE payouts_approvalband SET approvals_required = 0", ("configuration_sealed",)
        ),
        Tamper(
            "the velocity limits raised",
            "UPDATE payouts_velocitylimit SET amount = amount * 1000",
            ("configuration_sealed",),
        ),
        Tamper(
            "a superuser inserted",
            "INSERT INTO auth_user (username, password, is_superuser, is_staff, is_active, first_name, last_name,"
            " email, date_joined) SELECT 'thief', password, true, true, true, '', '', '', now() FROM auth_user"
            " WHERE username = 'operator'",
            ("person_sealed",),
        ),
        Tamper(
            "a permission given to a group",
            "INSERT INTO auth_group_permissions (group_id, permission_id) SELECT g.id, p.id FROM auth_group g,"
            " auth_permission p WHERE g.name = 'Auditor' AND p.codename = 'approve_payout'",
            ("group_sealed",),
        ),
        Tamper(
            "an approval counted that nobody gave",
            "UPDATE payouts_payout SET approvals_given = approvals_required, due_at = now() WHERE id = %(id)s",
            ("row_sealed",),
            {"id": waiting[0]},
        ),
        Tamper(
            "no approval asked for",
            "UPDATE payouts_payout SET approvals_required = 0, due_at = now() WHERE id = %(id)s",
            ("row_sealed",),
            {"id": waiting[1]},
        ),
        Tamper(
            "an old row put back, its later history deleted",
            "DELETE FROM payouts_event WHERE payout_id = %(id)s AND seq > 1;"
            " UPDATE payouts_payout SET status = 'pending', version = 1, processed_at = NULL, due_at = now(),"
            " event_head = (SELECT mac FROM payouts_event WHERE payout_id = %(id)s) WHERE id = %(id)s",
            ("event_missing",),
            {"id": paid[0]},
        ),
        Tamper(
            "a payout deleted with its history",
            "DELETE FROM payouts_exchange WHERE attempt_id IN"
            " (SELECT reference FROM payouts_attempt WHERE payout_id = %(id)s);"
            " DELETE FROM payouts_attempt WHERE payout_id = %(id)s;"
            " DELETE FROM payouts_event WHERE payout_id = %(id)s; DELETE FROM payouts_payout WHERE id = %(id)s",
            ("payout_missing",),
            {"id": paid[1]},
        ),
        Tamper("the database's own checkpoints deleted", "DELETE FROM payouts_checkpoint", ("checkpoint_kept",)),
    ]


def _write(here: Ground, tamper: Tamper) -> None:
    """As the owner of the tables, past every trigger, which is there again afterwards."""
    with psycopg.connect(here.services.database, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        for switch in ("DISABLE", "ENABLE"):
            if switch == "ENABLE":
                connection.execute(tamper.sql, tamper.values or None)
            for table in GUARDED:
                connection.execute(f"ALTER TABLE payouts_{table} {switch} TRIGGER USER")


def _tries(here: Ground, port: int, reader: str) -> dict[str, bool]:
    """The ways in which the thief uses what SQL made, and whether each was refused."""
    key = Caller(port, f"pk_{PREFIX}_{SECRET}").submit(amount="50000000.00")
    read = Caller(port, reader).submit(amount="50000000.00")
    ours = here.caller(port).submit(amount="50000000.00")
    return {
        f"a POST with the thief's key: {key.status}": key.status in (401, 503),
        f"a POST with a key that may only read: {read.status}": read.status in (401, 403, 503),
        f"50,000,000 without an approval: {ours.status}": ours.status != 201 or _waits(ours.json),
        "a log-in of the thief's": not _logs_in(port, "thief"),
    }


def _waits(payout: dict[str, Any]) -> bool:
    required: int = payout["approvals"]["required"]
    return required > 0


def _logs_in(port: int, name: str) -> bool:
    try:
        Person(port, name, "0")
    except AssertionError:
        return False
    return True


def _watch(cluster: Cluster, seconds: float) -> None:
    """Let the cluster go over everything a few times."""
    ends = time.monotonic() + seconds
    until(lambda: time.monotonic() > ends, "the cluster's sweeps", say=lambda: cluster.log[-1000:])


def _audit(here: Ground, outside: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "manage.py", "audit", "--json", "--against", outside],
        cwd=ROOT,
        env=os.environ | here.settings,
        capture_output=True,
        text=True,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


SQL = Drill(thief, full=30.0, small=6.0)
