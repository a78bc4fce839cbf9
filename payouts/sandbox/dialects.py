"""What the sandbox speaks beside our own protocol. To add a dialect: a folder here, and its line in SPOKEN."""

from collections.abc import Callable, Mapping
from typing import Final

from payouts.sandbox.dialect import Dialect
from payouts.sandbox.ledger import Ledger
from payouts.sandbox.till import Till
from payouts.sandbox.yookassa.dialect import YooKassa

type Make = Callable[[Ledger, Till], Dialect]

SPOKEN: Final[tuple[Callable[[Mapping[str, str]], Make | None], ...]] = (YooKassa.of,)


def of(environment: Mapping[str, str]) -> list[Make]:
    """Those that the environment has an account for. Raises ValueError, with a sentence, for what makes no sense."""
    return [make for spoken in SPOKEN if (make := spoken(environment))]
