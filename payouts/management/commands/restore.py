import time
from argparse import ArgumentParser
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from payouts.backups import make
from payouts.backups.envelope import EnvelopeError
from payouts.backups.make import BackupError
from payouts.backups.programs import ProgramError
from payouts.backups.restore import BrokenBackupError, NotEmptyError, restore
from payouts.places import PlaceError


class Command(BaseCommand):
    help = (
        "Put a backup of BACKUPS into the empty database of DATABASE_URL, with BACKUP_IDENTITY; all of it is that "
        "role's. docs/recovery.md tells what to do before and after."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", help="of the backup, as `backup --list` has it; the newest by default")

    def handle(self, *args: Any, **options: Any) -> None:
        began_at = time.monotonic()
        try:
            place = make.where()
            name = options["name"] or make.newest_in(place)
            make.started(name)
            restore(place, name, connection.get_connection_params())
        except BrokenBackupError as error:
            text = f"{error} What was put back is not whole: remove that database, and take another backup."
            raise CommandError(text, returncode=1) from None
        except (BackupError, PlaceError, EnvelopeError, ProgramError, NotEmptyError, psycopg.Error) as error:
            raise CommandError(str(error), returncode=2) from None
        self.stdout.write(f"{name} is put back, in {time.monotonic() - began_at:.1f} s.")
