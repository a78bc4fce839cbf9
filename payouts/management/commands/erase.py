import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from payouts import recipients, vault
from payouts.actions import erasure
from payouts.checkpoints import erased
from payouts.configuration import ConfigurationError, erasure_subjects
from payouts.management import on_server
from payouts.models import AccessEvent, ApiClient, Payout, RecipientKey
from payouts.places import PlaceError
from payouts.staff import access_log

STDIN = "-"


class Command(BaseCommand):
    help = (
        "Propose to erase recipients: another person confirms it in the back office, and their details are "
        "unreadable for ever. docs/erasure.md tells what stays, and what to do after a restore."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--payout", type=int, metavar="ID", help="the recipient of this payout")
        who.add_argument(
            "--client", metavar="NAME", help="with --user-id: every recipient of this user of the client"
        )
        who.add_argument("--recipient", metavar="FILE", help="the recipient whose details are the JSON in this file")
        who.add_argument(
            "--again",
            action="store_true",
            help="after a restore: whoever the list in CHECKPOINTS has, at once",
        )
        parser.add_argument("--user-id", type=int)
        parser.add_argument("--by", metavar="USERNAME", help="who proposes it, and may do so")
        parser.add_argument("--reason")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["again"]:
            self._again()
            return
        if not (options["by"] and options["reason"]):
            raise CommandError("Say who proposes it, and why: --by and --reason.")
        person = User.objects.filter(username=options["by"]).first()
        if person is None:
            raise CommandError(f"There is nobody called {options['by']}.")
        try:
            keys = self._keys(options)
            if not keys:
                raise CommandError("There is nothing to erase: no such recipient has a key in use.")
            for key in keys:
                changed = erasure_subjects.erase(
                    key.pk, by=person, reason=options["reason"], on_server=on_server.who()
                )
                if changed.proposal:
                    self.stdout.write(
                        f"Proposal {changed.proposal.pk}, {changed.proposal.title}: another person must confirm it "
                        "in the back office within 72 hours."
                    )
                else:
                    self.stdout.write(f"Key {key.pk} is erased.")
        except ConfigurationError as error:
            raise CommandError(str(error)) from None
        finally:
            access_log.note(AccessEvent.Kind.ON_SERVER, None, user=None)

    def _again(self) -> None:
        if not settings.CHECKPOINTS:
            raise CommandError("There is no list of erased recipients: CHECKPOINTS is not set.")
        try:
            again = erased.erase_again(settings.CHECKPOINTS, erasure.erase_as_listed)
        except PlaceError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Erased again: {again.done}; erased already: {again.known}.")
        if again.left:
            raise CommandError("\n".join([*again.left, f"Not erased again: {len(again.left)}."]))

    def _keys(self, options: dict[str, Any]) -> list[RecipientKey]:
        if options["recipient"]:
            return self._key_of_details(options["recipient"])
        if options["payout"]:
            found = Payout.objects.filter(pk=options["payout"])
        else:
            if options["user_id"] is None:
                raise CommandError("Say whose: --client goes with --user-id.")
            client = ApiClient.objects.filter(name=options["client"]).first()
            found = Payout.objects.filter(client=client, user_id=options["user_id"])
        payouts = list(found.only("recipient", "recipient_index"))
        if not payouts:
            raise CommandError("There is no such payout.")
        return erasure_subjects.keys_of(payouts)

    def _key_of_details(self, path: str) -> list[RecipientKey]:
        """By the details themselves, which belong into no command line."""
        try:
            text = sys.stdin.read() if path == STDIN else Path(path).read_text()
            details = json.loads(text)
        except (OSError, ValueError) as error:
            raise CommandError(f"The recipient cannot be read: {error}") from None
        if not isinstance(details, dict):
            raise CommandError("The recipient's details are a JSON object.")
        key = erasure_subjects.key_of_index(recipients.blind_index(vault.normal(details)))
        return [key] if key else []
