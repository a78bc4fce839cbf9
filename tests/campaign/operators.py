"""The operators: two people who approve, retry what was refused, and resolve what the worker leaves to them.

    python -m tests.campaign.operators LEDGER LIMITS

Their evidence for a resolution is the provider's ledger: what was paid is PAID; what was not, and cannot be any more
because its key is past its TTL, is NOT_PAID, and then retried. They go on when PostgreSQL is back.
"""

import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Final

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.db import DatabaseError, InterfaceError, connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from payouts import actions, rules  # noqa: E402
from payouts.actions import PayoutError, recovery  # noqa: E402
from payouts.models import Approval, Attempt, Attention, Payout, Recovery, contradicted_attempts  # noqa: E402
from payouts.states import Status  # noqa: E402
from tests.campaign import mutants  # noqa: E402
from tests.campaign.admins import Admins  # noqa: E402
from tests.campaign.ledger import read  # noqa: E402
from tests.campaign.people import CHECKERS  # noqa: E402
from tests.campaign.plan import HANG_SECONDS, KEY_TTL_SECONDS, Plan  # noqa: E402
from tests.campaign.scaled import scale_down  # noqa: E402

PAUSE_SECONDS: Final = 0.5
# Time for the campaign to delete an approval between the approval and the payment.
TAMPERED_SECONDS: Final = 25
LATE_SECONDS: Final = max(HANG_SECONDS) + 2
FOR_PEOPLE: Final = (Attention.NOT_FOUND, Attention.TOO_MANY_CALLS, Attention.UNWORKABLE)


class Operators:
    def __init__(self, ledger: Path, plan: Plan) -> None:
        self.ledger = ledger
        self.people = list(User.objects.filter(username__in=CHECKERS).order_by("pk"))
        self.users_to_schedule = [intent.number + 1 for intent in plan.tampered("approval_deleted")]
        self.users_to_ignore = [intent.number + 1 for intent in plan.tampered("count_raised")]

    def look(self) -> None:
        """Decide on all that waits for a person now."""
        waiting = Payout.objects.in_stage("awaiting_approval").exclude(user_id__in=self.users_to_ignore)
        for payout in waiting.order_by("pk"):
            self._try(self._approve, payout)
        for payout in Payout.objects.filter(status=Status.FAILED).order_by("pk"):
            self._try(self._retry, payout)
        for payout in Payout.objects.filter(status=Status.UNKNOWN, attention__in=FOR_PEOPLE).order_by("pk"):
            self._try(self._resolve, payout)
        for payout in Payout.objects.filter(attention=Attention.CONTRADICTED).order_by("pk"):
            self._try(self._resolve_contradicted, payout)
        for payout in Payout.objects.filter(status=Status.PENDING, attention=Attention.UNWORKABLE).order_by("pk"):
            self._try(self._release, payout)

        for found in Recovery.objects.filter(ended_at=None):
            self._end(found)

    def _end(self, found: Recovery) -> None:
        """When the database knows again of every payment that the ledger has."""
        paid = read(self.ledger, "SELECT key, payout FROM payments")
        known = {str(key) for key in Attempt.objects.values_list("reference", flat=True)}
        over = {
            str(each) for each in Payout.objects.filter(status=Status.PROCESSED).values_list("reference", flat=True)
        }
        if all(key in known or payout in over for key, payout in paid):
            evidence = f"{len(paid)} payments in the ledger, all known"
            recovery.propose_end(found.pk, by=self.people[0], evidence=evidence)
            recovery.end(found.pk, by=self.people[1], evidence=evidence, reason="read the ledger too")

    def _try(self, decide, payout: Payout) -> None:
        """A refusal is no failure: somebody else was faster, or the provider is being asked just now."""
        try:
            decide(payout)
        except PayoutError as refusal:
            print(f"{payout.pk}: {refusal}", flush=True)

    def _approve(self, payout: Payout) -> None:
        if payout.user_id in self.users_to_schedule and payout.scheduled_for is None:
            later = timezone.now() + timedelta(seconds=TAMPERED_SECONDS)
            actions.schedule(payout.pk, by=self.people[0], scheduled_for=later)
        for person in self.people:
            if not rules.why_not_approve(payout, rules.standing(payout, person)):
                payout = actions.approve(payout.pk, by=person)

    def _retry(self, payout: Payout) -> None:
        actions.retry(payout.pk, by=self.people[0], reason="refused, so once more")

    def _release(self, payout: Payout) -> None:
        actions.release(payout.pk, by=self.people[0], reason="its workers were killed by others")

    def _resolve(self, payout: Payout) -> None:
        attempt = payout.attempts.get(outcome=Attempt.Outcome.OPEN)
        self._say(payout, attempt)

    def _resolve_contradicted(self, payout: Payout) -> None:
        """Of an unknown one the open attempt first, of the others the refused one that may have been paid."""
        if payout.status == Status.UNKNOWN:
            self._resolve(payout)
        else:
            self._say(payout, payout.attempts.get(reference=contradicted_attempts([payout])[payout.pk][-1]))

    def _say(self, payout: Payout, attempt: Attempt) -> None:
        found = read(self.ledger, "SELECT id FROM payments WHERE key = ?", (str(attempt.reference),))
        if found or payout.status == Status.PROCESSED:
            decision, evidence = Approval.Decision.PAID, f"the ledger's payments {found}"
        elif timezone.now() > attempt.key_expires_at + timedelta(seconds=LATE_SECONDS):
            decision, evidence = Approval.Decision.NOT_PAID, f"nothing in the ledger {KEY_TTL_SECONDS} s later"
        else:
            return
        for person in self.people:
            asked = (payout.status, payout.attention)
            if not rules.why_not_resolve(payout, rules.standing(payout, person)):
                payout = actions.resolve(payout.pk, by=person, decision=decision, evidence=evidence)
            if (payout.status, payout.attention) != asked:
                return


def main(ledger: Path, limits: Path) -> None:
    """Until SIGTERM."""
    plan = Plan.from_environment()
    scale_down(plan)
    operators, admins = Operators(ledger, plan), Admins(limits)
    if plan.mutant == "no_dual_control":  # what people do is done here
        mutants.no_dual_control()
    while True:
        try:
            operators.look()
            admins.look()
        except (DatabaseError, InterfaceError) as error:
            print(f"{type(error).__name__}: {error}", flush=True)
            connection.close()
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
