"""Everything that the dice decide, from the seed alone: what is asked for, and what befalls it."""

import os
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Final

from tests.campaign.dialects import Dialect
from tests.campaign.dialects.spoken import DEFAULT, SPOKEN

# The product's time limits, as short as its system checks allow.
SETTINGS: Final = {
    "PROVIDER_TIMEOUT_SECONDS": "2",
    "PROVIDER_KEY_TTL_SECONDS": "40",
    "PROVIDER_CONCURRENCY": "8",
    "Q_WORKERS": "2",
    "Q_TIMEOUT_SECONDS": "12",
    "Q_RETRY_SECONDS": "600",  # as in production: a task that a killed cluster had taken must not ring again here
    "LEASE_SECONDS": "17",
    "SWEEP_SECONDS": "2",
    "STALL_SECONDS": "8",
    "WEB_CONCURRENCY": "2",
    "DUAL_CONTROL": "on",
}
# The cluster that is frozen past its leases. q2's time limit, shorter than a lease, would end a woken worker before
# it records its late answer; here it is longer (system check W005), so that only the fencing token is in the way.
FROZEN_CLUSTER: Final = "cluster-2"
FROZEN_SETTINGS: Final = {"Q_TIMEOUT_SECONDS": "150"}
FREEZE_AFTER: Final = (0.08, 0.6)
"""Of the storm's payouts."""
KEY_TTL_SECONDS: Final = int(SETTINGS["PROVIDER_KEY_TTL_SECONDS"])
LEASE_SECONDS: Final = int(SETTINGS["LEASE_SECONDS"])
# In production 2, 5, 15, 60, 300, 3600, then a day.
LOOK_AGAIN_SECONDS: Final = (2, 3, 4, *[5] * 17)
# Where a search lags: what is believed late is asked often, or its key's time is over.
LOOK_AGAIN_OFTEN_SECONDS: Final = (1, *[3] * 19)
# Where a search lags: the attempt's age from which an empty one is believed (in production a minute).
SEARCH_GRACE_SECONDS: Final = 12
# The longest that the provider takes to commit what it was asked for.
HANG_SECONDS: Final = (2.3, 4.0)

# Where rings are queued: in the database, or in the Redis that is killed and flushed meanwhile.
BROKERS: Final = ("orm", "redis")

KILLS: Final = ("kill_on_receive", "kill_after_commit", "kill_after_reply")
FREEZE: Final = "freeze"
STRIKES: Final = (*KILLS, FREEZE)
FEWEST: Final = 60
# With fewer nothing is judged that hangs on how quick the machine is.
FEWEST_JUDGED: Final = 100
# How long a round after the storm may take, and the API after PostgreSQL's return.
ROUND_SECONDS: Final = 60
AWAY_SECONDS: Final = 10
# For a small campaign: it ends what hangs.
PATIENCE_SECONDS: Final = 400
ROUND_SIZE: Final = 20
ROUNDS: Final = ("all_workers_killed", "all_workers_stopped", "nobody_rings")
MUTANTS: Final = tuple(dict.fromkeys(name for dialect in SPOKEN.values() for name in dialect.mutants))
# The database is put back in the sound product's run, and where that is what the mutant cannot survive.
PUT_BACK: Final = ("", "random_keys", "no_recovery_mode")
# Of the storm: when the state is kept, and when it is put back. For 1,000 orders a minute lies between.
KEPT_AT: Final = 0.3
PUT_BACK_AT: Final = 0.9
# Of the mutants: long enough to pay much between the two, and for the provider to forget keys.
FORGETTING_STORM_SECONDS: Final = 90.0
# A mutant that only one round meets runs that one alone, on a small storm.
ROUNDS_OF: Final = {"no_watchdog": ("all_workers_stopped",), "no_sweep": ("nobody_rings",)}
# Altered by SQL, so not to be paid: by what is altered.
TAMPERED: Final = ("approval_deleted", "count_raised")
TAMPERED_EACH: Final = 3
# While SQL has lowered the bands, so many that need an approval are asked for.
LOWERED_BANDS: Final = ("", "unsealed_configuration")
LOWERED_SECONDS: Final = 6.0
# The velocity limit to begin with: so much a minute for each order of the storm. Each is of 5,000 or of much more.
FIRST_LIMIT_EACH: Final = 3_000
# In the runs of the other mutants it is out of the way, so that what they break is what is found.
OUT_OF_THE_WAY: Final = 10**10
LIMITED: Final = ("", "no_velocity_limit", "no_dual_control", "unsealed_configuration")


@dataclass(frozen=True)
class Intent:
    """A payout that somebody wants: once, whatever happens."""

    number: int
    amount: str
    treatment: str
    """What the provider has in mind for it; empty: any fault of any call."""
    doubled: str = ""
    """Submitted a second time: `at once`, `later`, or not."""
    provider: str = DEFAULT

    @property
    def key(self) -> str:
        return f"intent-{self.number}"

    @property
    def body(self) -> dict[str, object]:
        return {
            "user_id": self.number + 1,
            "amount": self.amount,
            "currency": "RUB",
            "recipient_details": SPOKEN[self.provider].recipient(self.number),
            "comment": f"campaign {self.number}",
        }


@dataclass(frozen=True)
class Plan:
    seed: str
    count: int
    orphans: str
    mutant: str
    provider: str = DEFAULT
    broker: str = BROKERS[0]

    @classmethod
    def from_environment(cls) -> "Plan":
        mutant = os.environ.get("CAMPAIGN_MUTANT", "")
        orphans = os.environ.get("CAMPAIGN_ORPHANS", "both")
        if orphans not in ("reaped", "alive", "both"):
            raise ValueError(f"CAMPAIGN_ORPHANS is reaped, alive or both, not {orphans}.")
        provider = os.environ.get("CAMPAIGN_PROVIDER") or DEFAULT
        if provider not in SPOKEN:
            raise ValueError(f"CAMPAIGN_PROVIDER is one of {', '.join(SPOKEN)}, not {provider}.")
        broker = os.environ.get("CAMPAIGN_BROKER") or BROKERS[0]
        if broker not in BROKERS:
            raise ValueError(f"CAMPAIGN_BROKER is one of {', '.join(BROKERS)}, not {broker}.")
        if mutant and mutant not in MUTANTS:
            raise ValueError(f"CAMPAIGN_MUTANT is one of {', '.join(MUTANTS)}, not {mutant}.")
        count = int(os.environ.get("CAMPAIGN_N", "1000"))
        if count < FEWEST:
            raise ValueError(f"CAMPAIGN_N must be {FEWEST} or more.")
        return cls(os.environ.get("CAMPAIGN_SEED", "1"), count, orphans, mutant, provider, broker)

    def environment(self) -> dict[str, str]:
        return {
            "CAMPAIGN_SEED": self.seed,
            "CAMPAIGN_N": str(self.count),
            "CAMPAIGN_ORPHANS": self.orphans,
            "CAMPAIGN_MUTANT": self.mutant,
            "CAMPAIGN_PROVIDER": self.provider,
            "CAMPAIGN_BROKER": self.broker,
        }

    @property
    def dialect(self) -> Dialect:
        return SPOKEN[self.provider]

    @property
    def look_again_seconds(self) -> tuple[int, ...]:
        return LOOK_AGAIN_OFTEN_SECONDS if self.dialect.search_lag_seconds else LOOK_AGAIN_SECONDS

    @property
    def is_small(self) -> bool:
        return self.count < FEWEST_JUDGED

    @property
    def settings(self) -> dict[str, str]:
        """A busy machine beats slowly: a small campaign does not take that for a cluster that hangs."""
        return SETTINGS | {"Q_BROKER": self.broker} | ({"STALL_SECONDS": "20"} if self.is_small else {})

    def within(self, seconds: float) -> float:
        """The time for something that must come so soon."""
        return PATIENCE_SECONDS if self.is_small else seconds

    def dice(self, *of: object) -> Random:
        return Random(f"{self.seed}:{':'.join(map(str, of))}")

    @property
    def storm_seconds(self) -> float:
        shortest = FORGETTING_STORM_SECONDS if self.mutant and self.is_put_back else 30.0
        return max(shortest, 0.1 * self.count)

    @property
    def is_put_back(self) -> bool:
        """Whether the database is put back in the middle."""
        return self.mutant in PUT_BACK

    @property
    def rounds(self) -> tuple[str, ...]:
        return ROUNDS_OF.get(self.mutant, ROUNDS if not self.mutant else ())

    @property
    def first_limit(self) -> int:
        """What may leave in a minute, until people raise it."""
        return FIRST_LIMIT_EACH * self.count if self.mutant in LIMITED else OUT_OF_THE_WAY

    @property
    def strikes(self) -> dict[str, int]:
        """How many payouts have each strike in mind."""
        return dict.fromkeys(KILLS, max(2, self.count // 150))

    @cached_property
    def storm(self) -> list[Intent]:
        """The intents of the storm, in the order in which they are submitted."""
        dice = self.dice("storm")
        treatments = self._treatments()
        intents = []
        for number in range(self.count):
            amount = f"{dice.randint(1_00, 9_999_99) / 100:.2f}"
            if dice.random() < 0.05:
                amount = dice.choice(self.dialect.large_amounts)
            doubled = dice.choice(("at once", "later")) if dice.random() < 0.15 else ""
            intents.append(self._intent(number, amount, treatments.get(number, ""), doubled))
        return intents

    def _intent(self, number: int, amount: str, treatment: str, doubled: str = "") -> Intent:
        return Intent(number, amount, treatment, doubled, self.provider)

    def _treatments(self) -> dict[int, str]:
        """Strikes in the storm's first three quarters, and what takes a key's TTL to end in its first half."""
        dice = self.dice("treatments")
        treatments: dict[int, str] = {}

        def give(name: str, count: int, begin: float, end: float) -> None:
            free = [n for n in range(int(begin * self.count), int(end * self.count)) if n not in treatments]
            treatments.update(dict.fromkeys(dice.sample(free, count), name))

        for strike in KILLS:
            give(strike, self.strikes[strike], 0.02, 0.75)
        give("stubborn", max(4, self.count // 100), 0.0, 0.5)
        give("refused", max(4, self.count * 3 // 100), 0.0, 0.9)
        give("pending", max(4, self.count * 3 // 100), 0.0, 0.9)
        for name, share in self.dialect.treatments.items():
            give(name, max(5, int(self.count * share)), 0.0, 0.5)
        return treatments

    def tampered(self, kind: str) -> list[Intent]:
        first = self.count + 1_000 + 100 * TAMPERED.index(kind)
        return [self._intent(first + n, "150000.00", "clean") for n in range(TAMPERED_EACH)]

    @property
    def under_lowered_bands(self) -> list[Intent]:
        first = self.count + 1_500
        return [self._intent(first + n, "150000.00", "clean") for n in range(TAMPERED_EACH)]

    def round(self, name: str) -> list[Intent]:
        first = self.count + 100 * ROUNDS.index(name)
        treatment = "unanswered" if name == "nobody_rings" else "clean"
        return [self._intent(first + n, "100.50", treatment) for n in range(ROUND_SIZE)]

    @cached_property
    def intents(self) -> dict[int, Intent]:
        rounds = [intent for name in ROUNDS for intent in self.round(name)]
        tampered = [intent for kind in TAMPERED for intent in self.tampered(kind)]
        return {intent.number: intent for intent in (*self.storm, *rounds, *tampered, *self.under_lowered_bands)}
