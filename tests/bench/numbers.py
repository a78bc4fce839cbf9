"""How much is measured: what the README's figures come from, or little of everything, to see that all of it works."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Numbers:
    rows: int
    """Finished payouts behind."""
    http_payouts: int
    instant_payouts: int
    instant_rounds: int
    latency_payouts: int
    rounds: int
    """Of each call of the API."""
    round_seconds: float
    hot_rows: int
    """Payouts to one recipient in a day, and due at a paused provider."""
    claims: int


FULL = Numbers(
    rows=1_000_000,
    http_payouts=2_000,
    instant_payouts=3_000,
    instant_rounds=3,
    latency_payouts=80,
    rounds=7,
    round_seconds=1.2,
    hot_rows=100_000,
    claims=30,
)
SMALL = Numbers(
    rows=1_000,
    http_payouts=60,
    instant_payouts=100,
    instant_rounds=1,
    latency_payouts=4,
    rounds=1,
    round_seconds=0.5,
    hot_rows=500,
    claims=3,
)
