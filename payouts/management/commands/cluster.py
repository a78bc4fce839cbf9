from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from payouts.actions import KeysError, keys, recovery
from payouts.database import replica, rights
from payouts.worker import alive
from payouts.worker.supervisor import Supervisor, tell_fit, tell_unfit


class Command(BaseCommand):
    help = "Run one Q cluster under supervision, until SIGTERM or Ctrl-C drains it."

    def add_arguments(self, parser: CommandParser) -> None:
        # manage.py answers `cluster --check` before it loads Django.
        parser.add_argument(
            "--check", action="store_true", help="only tell whether the one that runs here is alive: exit code 0 or 1"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"]:
            if text := alive.why_not():
                raise CommandError(text)
            return
        if text := recovery.why_not_start():
            raise CommandError(text)
        try:
            rights.warn()
            replica.warn()
            keys.begin_writing()
            recovery.look()
            tell_fit()
        except KeysError as error:
            tell_unfit()
            raise CommandError(str(error)) from None
        except OperationalError:
            pass  # away: each claim looks
        Supervisor().run()
