from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from payouts.actions import KeysError, days, keys
from payouts.actions.days import State
from payouts.models import ReconciledDay
from payouts.providers.registry import known_names, lists_payments, zone_of
from payouts.statements import apply, ask


class Command(BaseCommand):
    help = (
        "Ask providers now for what they paid on a day that is over, and compare it with our record. A schedule does "
        "so every day. Exits with 1 when a day does not agree or was not told."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--day",
            type=date.fromisoformat,
            help="as in 2026-11-25, in the account's time zone; the last one otherwise",
        )
        parser.add_argument("--account", help="an account of PROVIDERS; each that lists its payments otherwise")

    def handle(self, *args: Any, **options: Any) -> None:
        listing = [name for name in known_names() if lists_payments(name)]
        accounts = [options["account"]] if options["account"] else listing
        if not accounts or not set(accounts) <= set(listing):
            raise CommandError(f"Accounts that list their payments: {', '.join(listing) or 'none'}.", returncode=2)
        try:
            keys.begin_writing()
        except KeysError as error:
            raise CommandError(str(error), returncode=2) from None
        reconciled = [self._reconcile(account, options["day"]) for account in accounts]
        if not all(reconciled):
            raise CommandError("Not every day agrees: see the page “Daily reconciliation”.")

    def _reconcile(self, account: str, wanted: date | None) -> bool:
        last = days.last_over(zone_of(account), timezone.now())
        on = wanted or last
        if on > last:
            raise CommandError(
                f"{on} is not over yet in {zone_of(account)}, whose days {account} counts.", returncode=2
            )
        day = days.made(account, on)
        if report := ask.ask(day):
            apply.run(report.pk)
        day.refresh_from_db()
        found = days.standings([day])[day.pk]
        self.stdout.write(f"{account} {on}: {_said(day, found)}")
        return found.state in (State.AGREED, State.CLOSED)


def _said(day: ReconciledDay, found: days.Standing) -> str:
    if day.code:
        return f"not told ({day.code}): {day.message}"
    listed = "; ".join(f"{count} paid, {amount} {currency}" for currency, (count, amount) in day.totals.items())
    differences = ", ".join(f"{result} {count}" for result, count in found.differences.items())
    return " · ".join(part for part in (found.state.value, listed or "no payments", differences) if part)
