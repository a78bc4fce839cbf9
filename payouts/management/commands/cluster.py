from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from payouts.actions import recovery
from payouts.worker.supervisor import Supervisor


class Command(BaseCommand):
    help = "Run one Q cluster under supervision, until SIGTERM or Ctrl-C drains it."

    def handle(self, *args: Any, **options: Any) -> None:
        if text := recovery.why_not_start():
            raise CommandError(text)
        with suppress(OperationalError):  # away: the first claim looks
            recovery.look()
        Supervisor().run()
