"""Two people who raise the velocity limit and let payouts go over it, and one who tries to change a rule alone.

Between a proposal and its confirmation anything may be killed. Before each raise its amount is noted in a file, so
that the audit from outside knows which limit was in force.
"""

import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Final

from django.contrib.auth.models import User

from payouts import configuration
from payouts.configuration import ConfigurationError
from payouts.models import LET_GO, ApprovalBand, Payout, VelocityLimit
from tests.campaign.people import ADMINS, INSIDER

RAISED_BY: Final = Decimal("1.3")
RAISE_EVERY_SECONDS: Final = 4.0
# What has waited for so long is let go.
LET_GO_AFTER_SECONDS: Final = 8
ALONE_EVERY_SECONDS: Final = 5.0


def in_force() -> VelocityLimit:
    return VelocityLimit.objects.get(scope="all", currency="RUB", window="minute")


def note(path: Path, amount: Decimal) -> None:
    """From now on this limit may be in force."""
    with path.open("a") as file:
        file.write(json.dumps([time.time(), str(amount)]) + "\n")


class Admins:
    def __init__(self, limits: Path) -> None:
        self.limits = limits
        self.first, self.second = (User.objects.get(username=name) for name in ADMINS)
        self.insider = User.objects.get(username=INSIDER)
        self._next_raise = self._next_alone = 0.0

    def look(self) -> None:
        waiting = Payout.objects.filter(waits_for="velocity:all:minute").order_by("waits_since")
        if oldest := waiting.first():
            self._try(self._raise)
            if time.time() - oldest.waits_since.timestamp() > LET_GO_AFTER_SECONDS:
                self._try(self._let_go, oldest)
        if time.monotonic() > self._next_alone:
            self._next_alone = time.monotonic() + ALONE_EVERY_SECONDS
            self._try(self._change_alone)

    def _try(self, change, *of: object) -> None:
        try:
            change(*of)
        except ConfigurationError as refusal:
            print(f"{change.__name__}: {refusal}", flush=True)

    def _raise(self) -> None:
        """One proposes in one look, the other confirms in the next."""
        limit = in_force()
        if open_one := configuration.open_about("velocity_limit", limit.pk):
            note(self.limits, Decimal(open_one.after["amount"]))
            configuration.confirm(open_one.pk, by=self.second)
        elif time.monotonic() > self._next_raise:
            self._next_raise = time.monotonic() + RAISE_EVERY_SECONDS
            now = configuration.subject("velocity_limit").snapshot(limit)
            higher = str((Decimal(now["amount"]) * RAISED_BY).quantize(Decimal(1)))
            configuration.propose(
                "velocity_limit", limit.pk, now | {"amount": higher}, by=self.first, reason="payouts wait"
            )

    def _let_go(self, payout: Payout) -> None:
        if open_one := configuration.open_about(LET_GO, payout.pk):
            configuration.confirm(open_one.pk, by=self.second)
        else:
            configuration.let_go(payout.pk, by=self.first, reason="it has waited long enough")

    def _change_alone(self) -> None:
        """The insider asks for no approvals in a currency that nobody uses, and confirms it too."""
        band = ApprovalBand.objects.filter(currency="USD").latest("from_amount")
        now = configuration.subject("approval_band").snapshot(band)
        other = {"approvals_required": 0 if now["approvals_required"] else 2}
        if open_one := configuration.open_about("approval_band", band.pk):
            configuration.confirm(open_one.pk, by=self.insider)
        else:
            configuration.change("approval_band", band.pk, now | other, by=self.insider, reason="it is in the way")
