from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from payouts import configuration
from payouts.configuration import ConfigurationError
from payouts.management import on_server
from payouts.models import AccessEvent, Proposal
from payouts.staff import access_log


class Command(BaseCommand):
    help = (
        "Proposed changes of the configuration. Confirming or declining one here, the server stands for the second "
        "person; the log, the access log and the proposal itself say so."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("list", help="those that somebody can still confirm")
        for act, about in (("show", "what it changes"), ("confirm", "put it in force"), ("decline", "refuse it")):
            one = acts.add_parser(act, help=about)
            one.add_argument("number", type=int)
            if act == "decline":
                one.add_argument("--reason", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            match options["act"]:
                case "list":
                    self._list()
                case "show":
                    self._show(options["number"])
                case "confirm":
                    done = configuration.confirm(options["number"], on_server=on_server.who())
                    self._done(done, "Confirmed")
                    if done.is_to_be_taken:
                        self.stdout.write(f"{done.proposed_by.get_username()} can take it in the back office.")
                case "decline":
                    done = configuration.decline(
                        options["number"], reason=options["reason"], on_server=on_server.who()
                    )
                    self._done(done, "Declined")
        except ConfigurationError as error:
            raise CommandError(str(error)) from None

    def _list(self) -> None:
        found = configuration.open_proposals()
        for proposal in found:
            self.stdout.write(
                f"{proposal.pk}: {proposal.act} {proposal.subject} {proposal.title}, by "
                f"{proposal.proposed_by.get_username()}, until {proposal.expires_at:%Y-%m-%d %H:%M} UTC"
            )
        if not found:
            self.stdout.write("No open proposal.")

    def _show(self, number: int) -> None:
        proposal = Proposal.objects.select_related("proposed_by", "decided_by").filter(pk=number).first()
        if proposal is None:
            raise CommandError("There is no such proposal.")
        state = proposal.decision or ("open" if proposal.is_open else "expired")
        self.stdout.write(
            f"{proposal.pk}: {proposal.act} {proposal.subject} {proposal.title} ({state}), by "
            f"{proposal.proposed_by.get_username()}: {proposal.reason}"
        )
        if not proposal.is_sealed:
            self.stdout.write("It was changed outside the product.")
        for line in configuration.subject(proposal.subject).lines(proposal.before, proposal.after):
            self.stdout.write(f"  {line.label}: {line.before} → {line.after}")

    def _done(self, proposal: Proposal, word: str) -> None:
        access_log.note(AccessEvent.Kind.ON_SERVER, None, user=None)
        self.stdout.write(
            f"{word} proposal {proposal.pk}, {proposal.title}, of {proposal.proposed_by.get_username()}."
        )
