"""What a campaign found, for people and as one JSON line."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Final

from tests.campaign.audit import Finding, counted
from tests.campaign.chaos import KILLED
from tests.campaign.dialects.spoken import DEFAULT
from tests.campaign.plan import FROZEN_CLUSTER, FROZEN_SETTINGS, LOOK_AGAIN_SECONDS, SETTINGS, STRIKES

FAULTED_AT_LEAST: Final = 0.25
SHOWN: Final = 40
CLEAN, VIOLATED, VOID = 0, 1, 2
# What a small campaign that was given too little time may show as well: they catch no mutant.
UNFINISHED: Final = {
    "not_paid_in_the_end",
    "sums_differ",
    *(f"{status}_but_paid" for status in ("pending", "processing", "unknown")),
}


@dataclass
class Report:
    seed: str
    mutant: str
    orphans: str
    intents: int
    is_small: bool = False
    """Then what did not strike was not enough to strike; it is told all the same."""
    settings: dict[str, str] = field(default_factory=lambda: dict(SETTINGS))
    provider: str = DEFAULT
    look_again_seconds: tuple[int, ...] = LOOK_AGAIN_SECONDS
    acks: int = 0
    doubled: int = 0
    calls: int = 0
    faulted: int = 0
    payments: int = 0
    kills: dict[str, int] = field(default_factory=dict)
    stops: dict[str, int] = field(default_factory=dict)
    strikes: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    postgres_kills: dict[str, int] = field(default_factory=dict)
    redis_blows: dict[str, int] = field(default_factory=dict)
    orphans_left: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    notices: dict[str, int] = field(default_factory=dict)
    """Webhooks, by what they were answered with."""
    late_results: int = 0
    put_back_seconds: float = 0.0
    """How far back the database was put; 0 when it was not."""
    recoveries: int = 0
    never_sent: int = 0
    """Look-ups of keys under which nothing was ever sent."""
    history_looks: int = 0
    api_away_seconds: float = 0.0
    storm_seconds: float = 0.0
    drain_seconds: float = 0.0
    round_seconds: dict[str, float] = field(default_factory=dict)
    total_seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)

    @property
    def violations(self) -> dict[str, int]:
        return counted(self.findings)

    @property
    def void(self) -> list[str]:
        """What should have struck and did not."""
        missing = []
        if self.faulted < FAULTED_AT_LEAST * self.calls or not self.calls:
            missing.append(f"only {self.faulted} of {self.calls} calls met a fault")
        missing += [f"no {kind} was killed" for kind in KILLED if not self.kills.get(kind)]
        missing += [f"no {kind} struck" for kind in STRIKES if not self.strikes.get(kind)]
        if not self.late_results:
            missing.append("no late result came")
        if sum(self.postgres_kills.values()) < 3:
            missing.append(f"PostgreSQL was killed {sum(self.postgres_kills.values())} times, not three")
        missing += [f"Redis was not {how}" for how in ("killed", "flushed") if not self.redis_blows.get(how)]
        return missing

    @property
    def exit_code(self) -> int:
        if self.findings:
            return VIOLATED
        return VOID if self.void and not self.mutant and not self.is_small else CLEAN

    def as_json(self) -> str:
        shown = {name: value for name, value in asdict(self).items() if name != "findings"}
        return json.dumps({**shown, "violations": self.violations, "void": self.void, "exit": self.exit_code})

    def as_text(self) -> str:
        lines = [
            f"provider {self.provider}, seed {self.seed}, mutant {self.mutant or 'none'}, orphans {self.orphans}",
            f"scaled down: {_list(self.settings)}; {FROZEN_CLUSTER}: {_list(FROZEN_SETTINGS)}",
            f"looked up again after {', '.join(map(str, self.look_again_seconds[:5]))}… s, "
            "not after 2, 5, 15, 60, 300… s",
            f"{self.intents} intents, {self.doubled} submitted twice; {self.acks} acks; {_list(self.answers)}",
            f"{self.calls} calls to the provider, {self.faulted} ({self._share}) faulted; {self.payments} payments",
            f"faults: {_list(self.faults)}",
            f"strikes: {_list(self.strikes)}; late results: {self.late_results}",
            f"webhooks: {_list(self.notices)}",
            f"killed: {_list(self.kills)}",
            f"stopped: {_list(self.stops)}",
            f"orphans left a second after a kill: {_list(self.orphans_left)}",
            f"PostgreSQL killed: {_list(self.postgres_kills)}; Redis: {_list(self.redis_blows)}",
            f"database put back by {self.put_back_seconds:.0f} s; recovery mode begun: {self.recoveries}; "
            f"{self.never_sent} look-ups of keys that were never sent",
            f"programs started again: {_list(self.restarts)}",
            f"events: {_list(self.events)}",
            f"API away after PostgreSQL's return: {self.api_away_seconds:.1f} s at most",
            f"storm {self.storm_seconds:.0f} s, drained in {self.drain_seconds:.0f} s, {self.history_looks} looks",
            "rounds: " + _list({name: f"{seconds:.1f} s" for name, seconds in self.round_seconds.items()}),
            f"total {self.total_seconds:.0f} s",
            *(f"VIOLATION {name}: {about}" for name, about in self.findings[:SHOWN]),
            f"violations: {_list(self.violations)}",
            *(f"VOID: {what}" for what in self.void),
        ]
        return "\n".join(lines)

    @property
    def _share(self) -> str:
        return f"{100 * self.faulted / self.calls:.0f} %" if self.calls else "none"


def _list(counts: dict[str, int] | dict[str, str] | Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"


def table(rows: list[tuple[str, dict[str, int]]]) -> str:
    """Mutants and what caught them."""
    width = max(len(name) for name, _violations in rows)
    return "\n".join(f"{name:{width}}  {_list(violations)}" for name, violations in rows)
