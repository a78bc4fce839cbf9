"""How the provider fails: what it does with a call, decided by the plan's dice, the payout and the call's number."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from tests.campaign.plan import FREEZE, HANG_SECONDS, KILLS, Plan

FAULTED_SHARE: Final = 0.42


class Reply(Enum):
    PAYMENT = "what is asked for"
    SILENCE = "nothing, until the caller gives up"
    RESET = "a TCP reset"
    ERROR = "500"
    LIMITED = "429 with Retry-After"
    GARBAGE = "200 with what is no JSON"
    DRIP = "the right answer, a few bytes at a time, beyond the caller's patience"
    REFUSAL = "422"


@dataclass(frozen=True)
class Behaviour:
    """What becomes of one call."""

    name: str = ""
    reply: Reply = Reply.PAYMENT
    pays: bool = True
    wait_seconds: tuple[float, float] = (0.0, 0.0)
    """Before paying."""
    strike: str = ""


GOOD: Final = Behaviour()
POST_FAULTS: Final = (
    Behaviour("delay", wait_seconds=(0.1, 1.0)),
    Behaviour("hang_then_commit", Reply.SILENCE, wait_seconds=HANG_SECONDS),
    Behaviour("commit_then_hang", Reply.SILENCE),
    Behaviour("reset_before", Reply.RESET, pays=False),
    Behaviour("reset_after", Reply.RESET),
    Behaviour("error_before", Reply.ERROR, pays=False),
    Behaviour("error_after", Reply.ERROR),
    Behaviour("rate_limited", Reply.LIMITED, pays=False),
    Behaviour("garbage", Reply.GARBAGE),
    Behaviour("drip", Reply.DRIP),
)
GET_FAULTS: Final = (
    Behaviour("look_up_delay", wait_seconds=(0.1, 1.0)),
    Behaviour("look_up_hang", Reply.SILENCE),
    Behaviour("look_up_reset", Reply.RESET),
    Behaviour("look_up_error", Reply.ERROR),
    Behaviour("look_up_limited", Reply.LIMITED),
    Behaviour("look_up_garbage", Reply.GARBAGE),
    Behaviour("look_up_drip", Reply.DRIP),
)
REFUSED: Final = Behaviour("refused", Reply.REFUSAL, pays=False)
STUBBORN: Final = Behaviour("stubborn", Reply.SILENCE)
STUBBORN_LOOK_UP: Final = Behaviour("stubborn_look_up", Reply.ERROR)
UNANSWERED: Final = Behaviour("unanswered", Reply.ERROR)
LOST: Final = Behaviour("lost", Reply.RESET, pays=False)
# So late that the caller has given up, looked it up and sent it again, if it believes that there is nothing.
LATE_COMMIT: Final = Behaviour("late_commit", Reply.SILENCE, wait_seconds=(5.3, 5.5))


class Frozen(Enum):
    """What a payout whose caller was frozen has come to."""

    NEVER = "its caller was not frozen"
    ASLEEP = "its caller is frozen"
    AWAKE = "its caller has been woken"


@dataclass(frozen=True)
class Call:
    """What the provider knows of a call when it decides."""

    intent: int
    is_post: bool
    number: int
    """Of the calls of this method under this key, from 1."""
    key_number: int
    """Of the keys of its payout, from 1."""
    key_is_forgotten: bool
    key_has_paid: bool
    key_is_refused: bool
    frozen: Frozen
    to_freeze: bool
    """Whether the time has come to freeze this caller."""


def behaviour(plan: Plan, call: Call) -> Behaviour:
    intent = plan.intents.get(call.intent)
    treatment = intent.treatment if intent else "clean"
    is_first_key = call.key_number == 1
    begins = call.is_post and is_first_key and call.number == 1
    match treatment:
        case "clean":
            return GOOD
        case _ if call.frozen != Frozen.NEVER:
            return _after_freeze(call)
        case "" if begins and call.to_freeze:
            return Behaviour(FREEZE, Reply.REFUSAL, pays=False, strike=FREEZE)
        case "unanswered":
            return UNANSWERED if begins else GOOD
        case "refused" if call.is_post and is_first_key:
            return REFUSED
        case "stubborn" if begins:
            return STUBBORN
        case "stubborn" if is_first_key and not call.key_is_forgotten:
            return STUBBORN if call.is_post else STUBBORN_LOOK_UP
        case "lost" if is_first_key and call.key_is_forgotten:
            return GOOD
        case "lost" if is_first_key:
            return LOST if call.is_post else STUBBORN_LOOK_UP
        case "judged_anew" if begins:
            return LATE_COMMIT
        case "judged_anew" if is_first_key:
            return REFUSED if call.is_post and not call.key_has_paid else GOOD
        case strike if strike in KILLS and begins:
            return Behaviour(strike, strike=strike, pays=strike != "kill_on_receive")
    if call.key_is_refused and not call.is_post and plan.dialect.search_lag_seconds:
        # An empty search is believed late: little time is left to ask about all earlier keys and to send the next.
        return GOOD
    dice = plan.dice("fault", call.intent, call.is_post, call.key_number, call.number)
    # To say that a key was never seen is easy.
    if dice.random() < (FAULTED_SHARE if call.intent >= 0 else FAULTED_SHARE / 4):
        return dice.choice(POST_FAULTS if call.is_post else GET_FAULTS)
    return GOOD


def _after_freeze(call: Call) -> Behaviour:
    """The frozen caller's refusal waits in its socket. The others are refused too, then somebody retries: the second
    key pays, and stays unknown until the frozen one is awake and would record its refusal, which must count for
    nothing by then."""
    if call.key_number == 1:
        return REFUSED if call.is_post else GOOD
    if call.frozen == Frozen.AWAKE:
        return GOOD
    return STUBBORN if call.is_post else STUBBORN_LOOK_UP
