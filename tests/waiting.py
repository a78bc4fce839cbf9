"""Waiting for what another process or thread does: a test is judged by whether it comes, not by when."""

import time
from collections.abc import Callable

# Nothing here takes a tenth of it on a machine that is free.
PATIENCE_SECONDS = 300.0
LOOKS_EVERY_SECONDS = 0.05


def wait_until[Found](
    look: Callable[[], Found],
    what: str = "it comes",
    *,
    errors: type[Exception] | tuple[()] = (),
    lives: Callable[[], object] = lambda: True,
    say: Callable[[], str] = lambda: "",
) -> Found:
    """What `look` finds once it finds something; these errors of its mean: not yet.

    Raises AssertionError with what `say` tells after PATIENCE_SECONDS, and at once when whoever must bring it about
    no longer lives.
    """
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if found := look():
                return found
        except errors:
            pass
        assert lives(), f"ended before {what}; {say()}"
        assert time.monotonic() < give_up, f"not in {PATIENCE_SECONDS} seconds: {what}; {say()}"
        time.sleep(LOOKS_EVERY_SECONDS)
