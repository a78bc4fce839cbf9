import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from payouts.actions import recovery
from payouts.actions.recovery import RecoveryError
from payouts.management import on_server


class Command(BaseCommand):
    help = "Recovery mode, after the database was put back or taken elsewhere: see docs/recovery.md."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        begin = acts.add_parser("begin", help="ask the provider before every payment, until two people end it")
        begin.add_argument("--reason", required=True, help="for example: restored the backup of 03:00")
        status = acts.add_parser("status", help="show whose the database is, and what is open")
        status.add_argument("--json", action="store_true")
        look = acts.add_parser("look", help="compare the database with what it was, as each claim does")
        look.add_argument("--json", action="store_true")
        adopt = acts.add_parser("adopt", help="make the database that of INSTALLATION, in recovery mode")
        adopt.add_argument("--confirm", metavar="NAME", help="the name that the database has now; not typed then")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            match options["act"]:
                case "begin":
                    made = recovery.begin(by=on_server.who(), reason=options["reason"])
                    self.stdout.write(f"Recovery {made.pk} has begun. Two people end it in the back office.")
                case "status":
                    self._show(is_json=options["json"])
                case "look":
                    self._look(is_json=options["json"])
                case "adopt":
                    self._adopt(options["confirm"])
        except RecoveryError as error:
            raise CommandError(str(error)) from error

    def _show(self, *, is_json: bool) -> None:
        found = recovery.status()
        if is_json:
            opened = [{"id": each.pk, "cause": each.cause, "reason": each.reason} for each in found["open"]]
            self.stdout.write(json.dumps(found | {"open": opened}, ensure_ascii=False))
            return
        name = found["installation"] or "none yet: no worker has looked at it"
        ours = "" if found["is_ours"] else f", and INSTALLATION is {settings.INSTALLATION}: nothing is paid"
        self.stdout.write(f"The database's installation: {name}{ours}.")
        for each in found["open"]:
            self.stdout.write(f"Recovery {each.pk} since {each.began_at:%Y-%m-%d %H:%M} UTC: {each.reason}")
        if not found["open"]:
            self.stdout.write("No recovery mode.")
        self.stdout.write(f"Payments that only the provider knows: {found['unknown_payments']}.")

    def _look(self, *, is_json: bool) -> None:
        found = recovery.look()
        state = "stopped" if found.obstacle else "recovery" if found.is_recovering else "as it was"
        if is_json:
            self.stdout.write(json.dumps({"state": state, "obstacle": found.obstacle}))
        elif found.obstacle:
            self.stdout.write(f"Nothing is paid. {found.obstacle}")
        elif found.is_recovering:
            self.stdout.write("Recovery mode: the provider is asked before every payment, until two people end it.")
        else:
            self.stdout.write("The database is the one that it was.")

    def _adopt(self, confirmed: str | None) -> None:
        name = recovery.status()["installation"]
        if confirmed is None:
            self.stdout.write(
                f"This database belongs to the installation {name!r}. If that one still runs, both may pay the same"
                f" payouts. It becomes {settings.INSTALLATION!r}, in recovery mode."
            )
            confirmed = input("Type the name that it has now: ")
        if confirmed.strip() != name:
            raise CommandError(f"That is not the name that the database has, {name!r}. Nothing was changed.")
        made = recovery.adopt(by=on_server.who())
        self.stdout.write(f"The database is that of {settings.INSTALLATION!r} now. Recovery {made.pk} has begun.")
