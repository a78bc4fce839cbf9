from typing import Any

from django.core.management.base import BaseCommand

from payouts.worker.supervisor import Supervisor


class Command(BaseCommand):
    help = "Run one Q cluster under supervision, until SIGTERM or Ctrl-C drains it."

    def handle(self, *args: Any, **options: Any) -> None:
        Supervisor().run()
