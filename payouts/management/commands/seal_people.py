from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from payouts.management import on_server
from payouts.models import AccessEvent
from payouts.staff import access_log, authority
from payouts.staff.authority import Found

# Hashes are nobody's to read.
HIDDEN = "password"


class Command(BaseCommand):
    help = (
        "Print the people and groups that SQL has changed, and make what is there the truth after a typed "
        "confirmation. The server stands for two people; the log says so."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", help="people and groups; without any, all that do not fit")
        parser.add_argument("--yes", action="store_true", help="ask nothing: what is printed was read before")

    def handle(self, *args: Any, **options: Any) -> None:
        left = [found for found in authority.unfit() if not options["names"] or found.name in options["names"]]
        if not left:
            self.stdout.write("Everybody is what the back office stored.")
            return
        for found in left:
            self.stdout.write(_shown(found))
        if not options["yes"] and input("Type “seal” to make this the truth: ").strip() != "seal":
            raise CommandError("Nothing was sealed.")
        for found in left:
            authority.seal_anew(found, by=on_server.who())
        access_log.note(AccessEvent.Kind.ON_SERVER, None, user=None)
        self.stdout.write(f"Sealed {len(left)} people and groups.")


def _shown(found: Found) -> str:
    facts = {name: value for name, value in asdict(found.content).items() if name != HIDDEN}
    words = {
        name: ", ".join(map(str, sorted(value))) if isinstance(value, frozenset) else value
        for name, value in facts.items()
    }
    return f"{found.content.kind.value} {found.name}: " + "; ".join(
        f"{name} {value}" for name, value in words.items()
    )
