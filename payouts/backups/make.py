"""Makes backups: `manage.py backup`, by a job of each night.

pg_dump reads the database as it was at one moment, whatever is written meanwhile. What it writes is encrypted and
kept as it comes: nothing is whole in memory or, in clear, on a disk. A proof that it is ours is kept beside it.
"""

import re
import subprocess
import tempfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import IO, Any

import structlog
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from payouts.backups import envelope
from payouts.backups.programs import ProgramError, program, start, told
from payouts.backups.proof import SUFFIX, Proof, Proving, proof_name
from payouts.models import Backup
from payouts.places import Place, PlaceError, place_of

log = structlog.get_logger(__name__)

NAME = re.compile(r"backup-(\d{8}T\d{6}Z)\.dump\.age")
TIME = "%Y%m%dT%H%M%SZ"
# What a backup that was killed has left in a folder.
LEFT = re.compile(r"\.(backup-\d{8}T\d{6}Z\.dump\.age)\..+")
# By then whoever made it is gone.
GIVEN_UP_AFTER = timedelta(hours=12)
# A backup's name may be ahead of our clock by this; what is further ahead would be the newest for years.
AHEAD = timedelta(hours=1)
FAULT_LENGTH = 500


class BackupError(RuntimeError):
    """Why there is no backup; the text says what to mend."""


class NotSetUpError(BackupError):
    """A setting is missing or wrong."""


def make() -> Backup:
    """Make a backup in BACKUPS, and record it; no transaction is open meanwhile. Raises BackupError.

    NotSetUpError comes before anything is recorded.
    """
    place, keys = where(), _keys()
    Backup.objects.filter(finished_at=None, fault="", started_at__lt=timezone.now() - GIVEN_UP_AFTER).update(
        fault="It did not come to its end."
    )
    started_at = timezone.now()
    try:
        with transaction.atomic():
            made = Backup.objects.create(name=f"backup-{started_at:{TIME}}.dump.age", started_at=started_at)
    except IntegrityError:
        raise BackupError("Another backup has begun in this second.") from None
    try:
        proof = _dump(place, made.name, keys)
        _keep(place, proof)
    except (ProgramError, PlaceError, OSError, envelope.EnvelopeError) as error:
        Backup.objects.filter(pk=made.pk).update(fault=str(error)[:FAULT_LENGTH])
        log.error("backup_failed", backup=made.name, reason=str(error))
        raise BackupError(str(error)) from error
    Backup.objects.filter(pk=made.pk).update(finished_at=Now(), bytes=proof.size, sha256=proof.sha256)
    made.refresh_from_db()
    log.info("backup_made", backup=made.name, bytes=proof.size, sha256=proof.sha256)
    return made


def where() -> Place:
    """The place of BACKUPS. Raises NotSetUpError."""
    if not settings.BACKUPS:
        raise NotSetUpError("BACKUPS is not set: name a folder or s3://bucket/prefix.")
    return place_of(settings.BACKUPS)


def names_in(place: Place) -> list[str]:
    """Of the backups that are there, the newest last; none that bears a time to come. Raises PlaceError."""
    times = {name: _time_of(name) for name in place.names()}
    latest = timezone.now() + AHEAD
    for name, at in times.items():
        if at and at > latest:
            log.warning("backup_of_the_future", backup=name)
    return [name for name, at in times.items() if at and at <= latest]


def newest_in(place: Place) -> str:
    """Raises BackupError where there is none, and PlaceError."""
    names = names_in(place)
    if not names:
        raise BackupError(f"There is no backup in {settings.BACKUPS}.")
    return names[-1]


def started(name: str) -> datetime:
    """When the backup of that name was begun. Raises BackupError."""
    at = _time_of(name)
    if at is None:
        raise BackupError(f"{name} is no backup's name.")
    if at > timezone.now() + AHEAD:
        raise BackupError(f"{name} bears a time to come: it is not ours, or a clock is wrong.")
    return at


def prune() -> list[str]:
    """Remove the backups that are older than BACKUP_RETENTION_DAYS, and their rows; returns their names.

    Neither the newest nor the newest that was checked, however old. Raises BackupError and PlaceError.
    """
    if not settings.BACKUP_RETENTION_DAYS:
        return []
    place, before = where(), timezone.now() - timedelta(days=settings.BACKUP_RETENTION_DAYS)
    names = names_in(place)
    for name in place.names():
        left = LEFT.fullmatch(name)
        if left and (at := _time_of(left[1])) and at < timezone.now() - GIVEN_UP_AFTER:
            place.remove(name)
    checked = Backup.objects.filter(checked_at__isnull=False, name__in=names).order_by("name").last()
    kept = {*names[-1:], checked.name if checked else ""}
    old = [name for name in names if started(name) < before and name not in kept]
    for name in old:
        place.remove(name)
        log.info("backup_removed", backup=name)
    for name in place.names():
        of = name.removesuffix(SUFFIX)
        if of != name and (at := _time_of(of)) and at < before and of not in set(names) - set(old):
            place.remove(name)
    Backup.objects.filter(started_at__lt=before).exclude(name__in=set(names) - set(old)).delete()
    return old


def _time_of(name: str) -> datetime | None:
    """What the name of a backup says; None where it is none, or of a day that no calendar has."""
    found = NAME.fullmatch(name)
    with suppress(ValueError):
        return datetime.strptime(found[1], TIME).replace(tzinfo=UTC) if found else None
    return None


def _keys() -> list[Any]:
    try:
        return envelope.recipients()
    except envelope.EnvelopeError as error:
        raise NotSetUpError(str(error)) from error


def _dump(place: Place, name: str, keys: list[Any]) -> Proof:
    """Returns the proof of what was kept. Raises ProgramError, PlaceError and OSError; then nothing was."""
    parameters = connection.get_connection_params()
    major, *_minor = connection.get_database_version()
    command = [program("pg_dump", server=major)]
    connection.close()  # nobody keeps an idle one for as long as this takes
    command += ["--format=custom", "--no-password", "--lock-wait-timeout=60000"]
    with tempfile.TemporaryFile() as errors, place.writing(name) as sink:
        proving = Proving(sink)
        process = start(command, parameters, errors, stdout=subprocess.PIPE)
        try:
            envelope.encrypt(_output(process), proving, for_keys=keys)
        except BaseException:
            process.kill()
            raise
        finally:
            _output(process).close()
            code = process.wait()
        if code:
            raise ProgramError(f"pg_dump ended with {code}: {told(errors)}")
    return proving.proof(name)


def _keep(place: Place, proof: Proof) -> None:
    """Raises PlaceError; then the backup, which nobody would put back without its proof, is gone too."""
    try:
        place.write(proof_name(proof.name), proof.as_bytes())
    except BaseException:
        with suppress(PlaceError):
            place.remove(proof.name)
        raise


def _output(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout
    return process.stdout
