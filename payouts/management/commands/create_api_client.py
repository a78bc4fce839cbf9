import json
from argparse import ArgumentParser
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError

from payouts.clients import ClientError, create_client
from payouts.management import on_server
from payouts.models import AccessEvent, Scope
from payouts.staff import access_log

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Make an API client and print its key, which is shown this once only."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--scopes", required=True, help=f"comma-separated, of {', '.join(Scope.values)}")
        parser.add_argument("--json", action="store_true", help='print {"client", "key", "scopes"}')

    def handle(self, *args: Any, **options: Any) -> None:
        scopes = [scope.strip() for scope in options["scopes"].split(",") if scope.strip()]
        try:
            client, key = create_client(options["name"], scopes=scopes)
        except ClientError as error:
            raise CommandError(str(error)) from error
        log.warning("api_client_made_on_server", client=client.name, scopes=scopes, by=on_server.who())
        access_log.note(AccessEvent.Kind.ON_SERVER, None, user=None)
        if options["json"]:
            self.stdout.write(json.dumps({"client": client.name, "key": key, "scopes": scopes}))
        else:
            self.stdout.write(f"Client {client.name} with {', '.join(scopes)}. Its key, shown this once only:\n{key}")
