import json
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from payouts.backups import envelope, make
from payouts.backups.make import BackupError, NotSetUpError
from payouts.places import PlaceError


class Command(BaseCommand):
    help = (
        "Make a backup of the database, encrypted for BACKUP_RECIPIENTS, keep it in BACKUPS, and remove those that "
        "are older than BACKUP_RETENTION_DAYS. Exit 1: there is none; 2: a setting is missing; 3: it is there, and "
        "old ones could not be removed. DATABASE_URL leads to PostgreSQL itself, not to a pooler."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_mutually_exclusive_group()
        acts.add_argument("--list", action="store_true", help="the backups in BACKUPS, the newest last; make none")
        acts.add_argument("--new-key", action="store_true", help="a key for BACKUP_IDENTITY and BACKUP_RECIPIENTS")
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["new_key"]:
                self._make_key(is_json=options["json"])
            elif options["list"]:
                self._list(is_json=options["json"])
            else:
                self._make(is_json=options["json"])
        except NotSetUpError as error:
            raise CommandError(str(error), returncode=2) from None
        except (BackupError, PlaceError) as error:
            raise CommandError(f"There is no backup: {error}", returncode=1) from None

    def _make(self, *, is_json: bool) -> None:
        began_at = time.monotonic()
        made = make.make()
        seconds = time.monotonic() - began_at
        try:
            removed = make.prune()
        except PlaceError as error:
            raise CommandError(f"{made.name} is made. Old ones could not be removed: {error}", returncode=3) from None
        if is_json:
            told = {"name": made.name, "bytes": made.bytes, "seconds": round(seconds, 1), "removed": removed}
            self.stdout.write(json.dumps(told))
            return
        self.stdout.write(f"{made.name}: {made.bytes / 1e6:,.1f} MB in {seconds:.1f} s, in {settings.BACKUPS}.")
        if removed:
            self.stdout.write(f"Removed, older than {settings.BACKUP_RETENTION_DAYS} days: {', '.join(removed)}.")

    def _list(self, *, is_json: bool) -> None:
        names = make.names_in(make.where())
        self.stdout.write(json.dumps(names) if is_json else "\n".join(names))

    def _make_key(self, *, is_json: bool) -> None:
        secret, public = envelope.new_key()
        if is_json:
            self.stdout.write(json.dumps({"identity": secret, "recipient": public}))
            return
        self.stdout.write(f"BACKUP_RECIPIENTS={public}\nBACKUP_IDENTITY={secret}")
        self.stderr.write("Keep the second where no backup is made and no server is lost: without it none is opened.")
