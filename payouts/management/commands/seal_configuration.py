from argparse import ArgumentParser
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError

from payouts.management import on_server
from payouts.models import AccessEvent
from payouts.models.sealed_sets import fault_of, seal_as_it_is, sealed_sets
from payouts.staff import access_log

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = (
        "Seal the sets of the configuration that do not fit, as their rows are: the first time, for an installation "
        "that had payouts before sets were sealed, and after somebody has found out what SQL had changed and has put "
        "it right. Prints the rows and asks for a typed confirmation. The server stands for two people."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar="SET", help=f"of {', '.join(sorted(sealed_sets()))}")
        parser.add_argument("--confirm", metavar="WORD", help="the word that is asked for; not typed then")

    def handle(self, *args: Any, **options: Any) -> None:
        sets = sealed_sets()
        names = options["names"] or [name for name in sorted(sets) if fault_of(name)]
        if unknown := sorted(set(names) - sets.keys()):
            raise CommandError(f"There is no set called {unknown[0]}.")
        if not names:
            self.stdout.write("Every set fits its seal.")
            return
        for name in names:
            self.stdout.write(f"{fault_of(name) or f'{name}: it fits its seal'}. Its rows:")
            for row in sets[name]._base_manager.order_by("pk"):
                facts = (f"{column} {getattr(row, column)}" for column in sets[name].sealed_columns)
                self.stdout.write(f"  {row.pk}: {', '.join(facts)}")
        word = options["confirm"] or input("Type “seal” if these rows are what is to be in force: ")
        if word.strip() != "seal":
            raise CommandError("Nothing was sealed.")
        for name in names:
            version = seal_as_it_is(name)
            log.warning("configuration_sealed_on_server", set=name, version=version, by=on_server.who())
            self.stdout.write(f"Sealed {name}, version {version}.")
        access_log.note(AccessEvent.Kind.ON_SERVER, None, user=None)
