import time
from argparse import ArgumentParser
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError, connection

from payouts.actions import erasure
from payouts.backups import make
from payouts.backups.envelope import EnvelopeError
from payouts.backups.make import BackupError
from payouts.backups.programs import ProgramError
from payouts.backups.proof import OriginError, proof_of
from payouts.backups.restore import BrokenBackupError, NotEmptyError, RoleError, restore
from payouts.checkpoints import erased
from payouts.places import PlaceError

NOT_AGAIN = "It is put back, but who was erased since was not erased again"
AGAIN = "Run manage.py migrate, then manage.py erase --again."


class Command(BaseCommand):
    help = (
        "Put a backup of BACKUPS into the empty database of DATABASE_URL, with BACKUP_IDENTITY; all of it is that "
        "role's. docs/recovery.md tells what to do before and after."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", help="of the backup, as `backup --list` has it; the newest by default")
        parser.add_argument(
            "--without-proof",
            action="store_true",
            help="of a backup that was made before backups had proofs, and that you know is yours: it must be named",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        began_at = time.monotonic()
        is_unproven = options["without_proof"]
        if is_unproven and not options["name"]:
            raise CommandError("--without-proof asks for a backup's name.", returncode=2)
        try:
            place = make.where()
            name = options["name"] or make.newest_in(place)
            make.started(name)
            proof = None if is_unproven else proof_of(place, name)
            restore(place, name, connection.get_connection_params(), proof=proof)
        except BrokenBackupError as error:
            text = f"{error} What was put back is not whole: remove that database, and take another backup."
            raise CommandError(text, returncode=1) from None
        except (BackupError, PlaceError, OriginError, EnvelopeError, ProgramError) as error:
            raise CommandError(str(error), returncode=2) from None
        except (NotEmptyError, RoleError, psycopg.Error) as error:
            raise CommandError(str(error), returncode=2) from None
        self.stdout.write(f"{name} is put back, in {time.monotonic() - began_at:.1f} s.")
        self._erase_again()

    def _erase_again(self) -> None:
        """Who was erased since the backup is in it still."""
        if not settings.CHECKPOINTS:
            self.stdout.write("No list of erased recipients: CHECKPOINTS is not set.")
            return
        try:
            if not erased.has_keys():
                raise CommandError(f"The backup is older than keys of recipients. {AGAIN}", returncode=3)
            again = erased.erase_again(settings.CHECKPOINTS, erasure.erase_as_listed)
        except (PlaceError, ProgrammingError) as error:
            raise CommandError(f"{NOT_AGAIN}: {error} {AGAIN}", returncode=3) from None
        self.stdout.write(f"Recipients who were erased since the backup, and are erased again: {again.done}.")
        if again.left:
            raise CommandError("\n".join([f"{NOT_AGAIN}:", *again.left, AGAIN]), returncode=3)
