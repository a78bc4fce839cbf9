from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from payouts.actions import KeysError, keys, recovery
from payouts.database import rights
from payouts.worker.supervisor import Supervisor


class Command(BaseCommand):
    help = "Run one Q cluster under supervision, until SIGTERM or Ctrl-C drains it."

    def handle(self, *args: Any, **options: Any) -> None:
        if text := recovery.why_not_start():
            raise CommandError(text)
        try:
            rights.warn()
            keys.begin_writing()
            recovery.look()
        except KeysError as error:
            raise CommandError(str(error)) from None
        except OperationalError:
            pass  # away: each claim looks
        Supervisor().run()
