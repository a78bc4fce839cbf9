import json
from argparse import ArgumentParser
from dataclasses import asdict
from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from payouts.audit import broken_invariants
from payouts.models import Payout


class Command(BaseCommand):
    help = "Check every invariant over the database; exit 1 and a list when one is broken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        broken = list(islice(broken_invariants(), 10_000))
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
