from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate

from payouts.database import rights


class Command(migrate.Command):
    """Django's, for whoever owns the tables, past any pooler; in the end the product's role has its rights."""

    def handle(self, *args: Any, **options: Any) -> None:
        # `--check` changes nothing: pods ask it, as the product's role, whether they may start.
        if not options["check_unapplied"] and (obstacle := rights.why_not_migrate()):
            raise CommandError(obstacle)
        super().handle(*args, **options)
