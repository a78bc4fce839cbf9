"""What takes minutes, hours or days in production takes seconds here: in every process that looks payments up."""

from dataclasses import replace
from datetime import timedelta

from payouts.actions import outcomes
from payouts.providers import registry
from payouts.providers.yookassa import answers
from tests.campaign.plan import KEY_TTL_SECONDS, SEARCH_GRACE_SECONDS, Plan


def scale_down(plan: Plan) -> None:
    """The pauses between look-ups, the life of keys that a provider declares, and the grace of a search that lags."""
    outcomes.LOOK_AGAIN_SECONDS = plan.look_again_seconds
    answers.SEARCH_LAG = timedelta(seconds=SEARCH_GRACE_SECONDS)
    for name, kind in registry.KINDS.items():
        if kind.key_life is not None:
            registry.KINDS[name] = replace(kind, key_life=timedelta(seconds=KEY_TTL_SECONDS))
