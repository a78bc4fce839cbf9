import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from payouts.actions import KeysError, keys
from payouts.checkpoints import erased
from payouts.checkpoints.make import make_due
from payouts.checkpoints.outside import keep_missing, keep_outside
from payouts.places import PlaceError


class Command(BaseCommand):
    help = (
        "Make a signed checkpoint of all payouts' histories now, log it, and write it to CHECKPOINTS. A schedule "
        "does so every hour; `manage.py audit --against` names what is missing since one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--all",
            action="store_true",
            help="write whatever CHECKPOINTS lacks: after it was set to another place, or something was taken away",
        )
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            keys.begin_writing()
        except KeysError as error:
            raise CommandError(str(error), returncode=2) from None
        made = make_due()
        try:
            if options["all"]:
                written = keep_missing()
                erased.keep_missing()
            else:
                written = keep_outside()
                erased.keep_outside()
        except PlaceError as error:
            raise CommandError(f"Made, but not written to {settings.CHECKPOINTS}: {error}") from None
        if not made:
            raise CommandError("Another process is making one.")
        last = made[-1]
        if options["json"]:
            report = {"number": last.number, "root": last.root, "totals": last.totals, "written": written}
            self.stdout.write(json.dumps(report))
            return
        self.stdout.write(f"Checkpoint {last.number}: {last.root}")
        for currency, kinds in sorted(last.totals.items()):
            for kind, (count, amount) in kinds.items():
                self.stdout.write(f"{kind}: {count} payouts, {amount} {currency}")
        if settings.CHECKPOINTS:
            self.stdout.write(f"Written to {settings.CHECKPOINTS}: {written}.")
        else:
            self.stdout.write("It is in the database and in the log alone: set CHECKPOINTS to a folder or a bucket.")
