from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate

from payouts.database import rights


class Command(migrate.Command):
    """Django's, for whoever owns the tables, past any pooler; in the end the product's role has its rights."""

    def handle(self, *args: Any, **options: Any) -> None:
        if obstacle := rights.why_not_migrate():
            raise CommandError(obstacle)
        super().handle(*args, **options)
