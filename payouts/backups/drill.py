"""Puts a backup into a database of its own, and finds out whether it could take the place of the one that we have.

What came out is audited by this program, in processes of its own that know no provider, so nothing could be paid from
the copy; and the copy must know that it is one.
"""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import psycopg
import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now
from psycopg import sql

from payouts.backups.make import FAULT_LENGTH, newest_in, started
from payouts.backups.proof import NoProofError, OriginError, Proof, proof_of
from payouts.backups.restore import parameters_of, restore
from payouts.daily_totals import SETTLED_AFTER
from payouts.models import Backup
from payouts.places import Place

log = structlog.get_logger(__name__)

# Of the copy's processes: they reach nothing but the copy.
NOTHING_OUTSIDE = dict.fromkeys(
    (
        *("PROVIDERS", "PROVIDER_URL", "PROVIDER_TOKEN", "PROVIDER_ACCOUNT", "PROVIDER_WEBHOOK_SECRET"),
        *("REDIS_URL", "Q_BROKER", "Q_REDIS_URL", "DATABASE_REPLICA_URL", "DATABASE_POOLER"),
        *("OIDC_ISSUER", "CHECKPOINTS"),
        *("SENTRY_DSN", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        *("BACKUPS", "BACKUP_RECIPIENTS", "BACKUP_IDENTITY", "BACKUP_IDENTITY_FILE", "RESTORE_DATABASE_URL"),
    ),
    "",
)
ELSEWHERE = "restore-drill"
NAMED = 20
# Neither is ever lost, and what was archived since counts as it did; a transaction that wrote one before that moment
# is over.
COUNTS = """
SELECT (SELECT count(*) FROM payouts_payout WHERE created_at < %(before)s),
       (SELECT count(*) FROM payouts_event WHERE at < %(before)s)
       + (SELECT coalesce(sum(a.events), 0)::bigint
          FROM payouts_archived a JOIN payouts_payout p ON p.id = a.payout_id
          WHERE a.back_at IS NULL AND p.updated_at < %(before)s)
"""


class CannotCheckError(RuntimeError):
    """What came out could not be checked here, which says nothing about the backup; the text says why."""


@dataclass(slots=True)
class Checked:
    """What came out of a backup."""

    name: str
    restore_seconds: float = 0.0
    audit_seconds: float = 0.0
    payouts: int = 0
    checkpoints: int = 0
    """Those from outside that it was compared with, made before it."""
    recovery: str = ""
    faults: list[str] = field(default_factory=list)
    """A sentence each; none where it could take the place of the database."""


def newest(place: Place) -> str:
    """The backup that would be put back. Raises BackupError and PlaceError."""
    # A row says that its file is there, so it is read before the place is.
    last_made = _last_made()
    return max(newest_in(place), last_made)


def run(place: Place, name: str, server: str) -> Checked:
    """Put the backup into a new database of the server at that URL, check it, and remove the database.

    Raises CannotCheckError, OriginError, and what `restore` raises.
    """
    checked = Checked(name)
    proof = _proof(place, name)
    with _database_on(server) as url:
        began_at = time.monotonic()
        restore(place, name, parameters_of(url), proof=proof)
        checked.restore_seconds = time.monotonic() - began_at
        began_at = time.monotonic()
        _audit(checked, url)
        checked.audit_seconds = time.monotonic() - began_at
        _count(checked, url)
        _recovery(checked, url)
    return checked


def record(name: str, faults: list[str]) -> None:
    """Keep what was found of the backup, in the database that it is of."""
    fault = " ".join(faults)[:FAULT_LENGTH]
    found: dict[str, Any] = {"checked_at": None, "fault": fault} if fault else {"checked_at": Now(), "fault": ""}
    # A database that was put back does not know it, nor when it was finished: never that it is younger than it is.
    begun = {"started_at": started(name), "finished_at": started(name)}
    Backup.objects.update_or_create(name=name, defaults=found, create_defaults={**found, **begun})
    if fault:
        log.error("backup_not_restorable", backup=name, reason=fault)
    else:
        log.info("backup_checked", backup=name)


def _proof(place: Place, name: str) -> Proof:
    """What shows that the backup is ours, and is the one that our database knows under that name."""
    known = Backup.objects.filter(name=name, bytes__gt=0).values_list("sha256", flat=True).first()
    if name == _last_made() and name not in place.names():
        raise OriginError(f"{name} was made, and is not there any more.")
    try:
        proof = proof_of(place, name)
    except NoProofError as error:
        if known == "":
            raise CannotCheckError(f"{name} was made before backups had proofs: make another.") from error
        raise
    if known and known != proof.sha256:
        raise OriginError(f"{name} is not the backup that was made under that name.")
    return proof


def _last_made() -> str:
    """Its name; empty where none was. Older ones may have gone by a rule of the place."""
    made = Backup.objects.filter(finished_at__isnull=False, fault="", bytes__gt=0)
    return made.order_by("name").values_list("name", flat=True).last() or ""


@contextmanager
def _database_on(server: str) -> Iterator[str]:
    name = f"payouts_restore_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connected:
        connected.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(server, autocommit=True) as connected:
            connected.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _audit(checked: Checked, url: str) -> None:
    """Every invariant, and what the checkpoints outside saw up to the last that the copy knows."""
    checked.checkpoints = _one(url, "SELECT coalesce(max(number), 0) FROM payouts_checkpoint")
    since = ["--against", settings.CHECKPOINTS, "--up-to", str(checked.checkpoints)]
    report = _told(url, "audit", *(since if settings.CHECKPOINTS and checked.checkpoints else []))
    if not settings.CHECKPOINTS:
        checked.checkpoints = 0
    checked.payouts = report["payouts"]
    found = [f"{each['invariant']}: {each['detail']}" for each in report["broken"]]
    if found:
        checked.faults.append(f"The audit of the copy found {len(found)}, such as {'; '.join(found[:NAMED])}.")


def _count(checked: Checked, url: str) -> None:
    before = {"before": started(checked.name) - SETTLED_AFTER}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '1h'")
        cursor.execute(COUNTS, before)
        ours = cursor.fetchone()
    with psycopg.connect(url) as connected:
        theirs = connected.execute(COUNTS, before).fetchone()
    if ours != theirs:
        checked.faults.append(f"Payouts and events of before it are {theirs} in the copy and {ours} here.")


def _recovery(checked: Checked, url: str) -> None:
    """A worker on the copy would ask the provider first; under another installation's name it would pay nothing."""
    is_known = _one(url, "SELECT count(*) FROM payouts_installation WHERE name <> ''")  # a worker has been here
    checked.recovery = _told(url, "recovery", "look")["state"]
    if is_known and checked.recovery != "recovery":
        checked.faults.append(f"The copy does not know that it was put back: {checked.recovery}.")
    elsewhere = _told(url, "recovery", "look", INSTALLATION=ELSEWHERE)["state"]
    if is_known and elsewhere != "stopped":
        checked.faults.append(f"Under another installation's name the copy would pay: {elsewhere}.")


def _told(url: str, *arguments: str, **changes: str) -> dict[str, Any]:
    """What a command of ours tells of the copy, as JSON. Raises CannotCheckError."""
    answer = subprocess.run(  # noqa: S603 (this program)
        [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments, "--json"],
        env=os.environ | NOTHING_OUTSIDE | {"DATABASE_URL": url} | changes,
        cwd=settings.BASE_DIR,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode not in (0, 1) or not answer.stdout.strip():
        raise CannotCheckError(f"manage.py {arguments[0]} on the copy: {answer.stderr.strip()[-1000:]}")
    found: dict[str, Any] = json.loads(answer.stdout.strip().splitlines()[-1])
    return found


def _one(url: str, query: str) -> int:
    with psycopg.connect(url) as connected:
        row = connected.execute(query).fetchone()
    assert row
    return int(row[0])
