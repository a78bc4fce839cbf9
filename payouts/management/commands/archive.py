import time
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from payouts.actions import AlteredError, KeysError, keys
from payouts.actions.archive import AT_ONCE, ArchiveError, archive, bring_back_by_id, why_too_young
from payouts.checkpoints.make import make_due
from payouts.database import rights

NAMED = 20
TOLD_EVERY_SECONDS = 10.0


class Command(BaseCommand):
    help = (
        "Archive what happened to payouts that came to rest before a day, while the product runs: of each its events "
        "and the provider's answers, in one compressed, sealed bundle. Nobody loses sight of anything. "
        "Broken off, it goes on where it was. As the owner of the tables: docs/archive.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument(
            "--before",
            metavar="DATE",
            type=_midnight,
            help="archive what came to rest before this day (2026-01-31, in UTC), 30 days ago at the latest",
        )
        what.add_argument(
            "--back", metavar="ID", type=int, nargs="+", help="bring these payouts' histories back; any role may"
        )
        parser.add_argument("--limit", metavar="N", type=int, help="look at so many payouts, and no more")
        parser.add_argument(
            "--pause-ms", metavar="N", type=int, default=0, help="wait so long after each 200, for a busy database"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["back"]:
                self._bring_back(options["back"])
            else:
                self._archive(options["before"], limit=options["limit"], pause_seconds=options["pause_ms"] / 1000)
        except (AlteredError, ArchiveError, KeysError) as error:
            raise CommandError(str(error)) from None

    def _bring_back(self, payout_ids: list[int]) -> None:
        keys.require_fit()  # with others every bundle looks altered
        back = bring_back_by_id(payout_ids)
        others = sorted(set(payout_ids) - set(back))
        self.stdout.write(f"Brought back: {_named(back)}. Not archived: {_named(others)}.")

    def _archive(self, before: datetime, *, limit: int | None, pause_seconds: float) -> None:
        if obstacle := rights.why_not_owner() or why_too_young(before):
            raise CommandError(obstacle)
        keys.begin_writing()
        make_due()  # what no checkpoint has seen is not archived
        began_at = told_at = time.monotonic()
        archived = uncounted = 0
        unfit: list[int] = []
        for done in islice(archive(before), limit and -(-limit // AT_ONCE)):
            archived += done.archived
            uncounted += done.uncounted
            for broken in done.unfit:
                self.stderr.write(f"payout {broken.payout_id}: {broken.invariant}: {broken.detail}")
            unfit += sorted({broken.payout_id for broken in done.unfit if broken.payout_id})
            if time.monotonic() - told_at > TOLD_EVERY_SECONDS:
                told_at = time.monotonic()
                self.stdout.write(f"{archived} archived, up to payout {done.last_id}.")
            time.sleep(pause_seconds)
        took = time.monotonic() - began_at
        self.stdout.write(f"Archived {archived} payouts in {took:.0f} s, {archived / max(took, 0.001):.0f} a second.")
        if uncounted:
            self.stdout.write(f"{uncounted} wait for the next checkpoint or the exporter's counters: run it again.")
        if unfit:
            raise CommandError(
                f"Left as they are, because the audit does not pass them: payouts {_named(unfit)}. "
                "Have that put right (manage.py audit), then run this again."
            )


def _midnight(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ArgumentTypeError(f"{text} is no day such as 2026-01-31.") from None


def _named(ids: list[int]) -> str:
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return (", ".join(map(str, ids[:NAMED])) or "none") + more
