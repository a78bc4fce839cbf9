"""What the sandbox speaks beside our own protocol. To add a dialect: a folder here, and its line in SPOKEN."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from payouts.sandbox.dialect import Dialect, Played
from payouts.sandbox.ledger import Ledger
from payouts.sandbox.paypal.dialect import PayPal
from payouts.sandbox.till import Till
from payouts.sandbox.yookassa.dialect import YooKassa

type Make = Callable[[Ledger, Till], Dialect]


class Spoken(Protocol):
    """The class of a dialect."""

    name: str
    """Of the provider's kind."""
    manual: str
    """What its environment and its magic are, in English."""
    example: str
    """What a request to our API must say so that this account can pay it: its currency and recipient, in JSON."""

    def of(self, environment: Mapping[str, str], /) -> Make | None:
        """None where the environment has no account for it. Raises ValueError, with a sentence."""

    def played(self, *, secret: str, sandbox: str, webhook: str) -> Played:
        """An account with that secret at the sandbox's URL, which tells it at the webhook's."""


SPOKEN: Final[tuple[Spoken, ...]] = (YooKassa, PayPal)


def of(environment: Mapping[str, str]) -> list[Make]:
    """Those that the environment has an account for. Raises ValueError, with a sentence, for what makes no sense."""
    return [make for spoken in SPOKEN if (make := spoken.of(environment))]
