import json
import shutil
import signal
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from backoffice.local.postgres import POSTGRES_OPTIONS, postgres_server
from backoffice.local.servers import ServiceError
from payouts.backups import drill, make
from payouts.backups.drill import CannotCheckError, Checked
from payouts.backups.envelope import EnvelopeError
from payouts.backups.make import BackupError
from payouts.backups.programs import ProgramError
from payouts.backups.proof import OriginError, OtherKeyError
from payouts.backups.restore import BrokenBackupError, RoleError
from payouts.places import PlaceError

# Much is written once.
QUICK = {"max_wal_size": "4GB", "maintenance_work_mem": "256MB"}


class Command(BaseCommand):
    help = (
        "See that the newest backup is ours, put it into a database of its own, on the server of "
        "RESTORE_DATABASE_URL or one that is started for it; audit it, also against CHECKPOINTS, compare it with our "
        "database, and see that it would pay nothing unasked. Exit 1: it could not take our database's place; 2: it "
        "could not be tried."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", help="of another backup, as `backup --list` has it")
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"]
        try:
            place = make.where()
            name = name or drill.newest(place)
            make.started(name)
            with _ended_in_order(), _server() as url:
                checked = drill.run(place, name, url)
        except (BackupError, PlaceError, EnvelopeError, ProgramError, ServiceError) as error:
            raise CommandError(str(error), returncode=2) from None
        except (CannotCheckError, OtherKeyError, RoleError, psycopg.Error) as error:
            raise CommandError(str(error), returncode=2) from None
        except (BrokenBackupError, OriginError) as error:
            checked = Checked(name, faults=[str(error)])
        drill.record(name, checked.faults)
        self._tell(checked, is_json=options["json"])
        if checked.faults:
            raise CommandError(f"{name} could not take the place of the database.", returncode=1)

    def _tell(self, checked: Checked, *, is_json: bool) -> None:
        if is_json:
            self.stdout.write(json.dumps(asdict(checked), ensure_ascii=False))
            return
        for fault in checked.faults:
            self.stdout.write(fault)
        if checked.faults:
            return
        self.stdout.write(
            f"{checked.name}: {checked.payouts:,} payouts put back in {checked.restore_seconds:.1f} s and audited in "
            f"{checked.audit_seconds:.1f} s, against {checked.checkpoints} checkpoints from outside. Every invariant "
            "holds, and nothing of before it is missing."
        )
        if checked.recovery == "recovery":
            self.stdout.write(
                "The copy knows that it was put back: before each payment it would ask the provider; under another "
                "installation's name it would pay nothing."
            )


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Whoever ends the drill, as a platform does when its time is up, leaves no copy behind: it would be in clear."""
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


@contextmanager
def _server() -> Iterator[str]:
    """The URL of a server that is there, or of one that runs while the block does. Raises ServiceError."""
    if settings.RESTORE_DATABASE_URL:
        yield settings.RESTORE_DATABASE_URL
        return
    folder = Path(tempfile.mkdtemp(prefix="payouts-restore-"))
    folder.chmod(0o711)  # root's PostgreSQL runs as another user, who passes through
    try:
        with postgres_server(folder, {**POSTGRES_OPTIONS, **QUICK}) as server:
            yield server.url
    finally:
        shutil.rmtree((folder / "postgres").resolve(), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
