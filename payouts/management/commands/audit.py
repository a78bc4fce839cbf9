import json
from argparse import ArgumentParser
from dataclasses import asdict
from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from payouts.actions import KeysError, keys, set_aside_altered
from payouts.audit import LIMIT, anchored, broken_invariants
from payouts.checkpoints.document import DocumentError
from payouts.checkpoints.outside import documents
from payouts.database import rights
from payouts.models import Payout
from payouts.places import PlaceError


class Command(BaseCommand):
    help = "Check every invariant over the database; exit 1 and a list when one is broken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
        parser.add_argument(
            "--against",
            metavar="CHECKPOINT",
            help="name what is missing, or was put back, since these checkpoints too: a file, a folder or s3://…",
        )
        parser.add_argument(
            "--up-to",
            metavar="NUMBER",
            type=int,
            help="of those checkpoints: leave later ones out, as for a database that was put back to before them",
        )
        parser.add_argument(
            "--processes", metavar="N", type=int, default=1, help="look at so many parts at once, each on a core (1)"
        )
        parser.add_argument(
            "--set-aside",
            action="store_true",
            help="leave the payouts whose rows were changed by SQL to people, after you have found that they were",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            keys.require_fit()
        except KeysError as error:
            raise CommandError(str(error), returncode=2) from None
        if options["processes"] < 1:
            raise CommandError("--processes must be 1 or more.", returncode=2)
        if text := rights.excess():
            self.stderr.write(f"payouts.W050: {text}")
        broken = list(islice(broken_invariants(options["processes"]), LIMIT))
        if options["against"]:
            try:
                broken += islice(anchored.against(documents(options["against"], up_to=options["up_to"])), LIMIT)
            except (PlaceError, DocumentError) as error:
                raise CommandError(str(error), returncode=2) from None
        broken = list(dict.fromkeys(broken))
        if options["set_aside"]:
            set_aside_altered(
                [item.payout_id for item in broken if item.payout_id and item.invariant == "row_sealed"]
            )
        checked = Payout.objects.count()
        if options["json"]:
            report = {"ok": not broken, "payouts": checked, "broken": [asdict(item) for item in broken]}
            self.stdout.write(json.dumps(report, ensure_ascii=False))
        else:
            for item in broken:
                place = f"payout {item.payout_id}" if item.payout_id else "database"
                self.stdout.write(f"{place}: {item.invariant}: {item.detail}")
        if broken:
            raise CommandError(f"{len(broken)} invariants are broken, over {checked} payouts.", returncode=1)
        if not options["json"]:
            self.stdout.write(f"Every invariant holds, over {checked} payouts.")
