from argparse import ArgumentParser
from typing import Any

import structlog
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from payouts.management import on_server
from payouts.models import AccessEvent
from payouts.staff import access_log, second_factor

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Remove a person's second factor, when their phone is lost and no superuser can log in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no person called {options['username']}.")
        if not second_factor.remove(user):
            raise CommandError(f"{user.get_username()} has no second factor.")
        log.warning("second_factor_removed_on_server", person=user.get_username(), by=on_server.who())
        access_log.note(AccessEvent.Kind.REMOVED, None, user=user)
        self.stdout.write(f"The second factor of {user.get_username()} is removed; the next login sets up a new one.")
