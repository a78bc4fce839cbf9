"""Workers that die by SIGKILL: `python -m tests.payouts.actions.dying` reads lines `SIZE POINT`, forks one for each.

The worker pumps and dies at the point; SIZE is how many payouts are due, so that a batch meets the same end whichever
thread is first. The answer is a line with the worker's exit code, which is 0 if it never came to the point.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import django


def die(*_anything: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)  # SIGKILL ends us before


def main() -> None:
    """Nothing is open and no thread runs when a worker is forked."""
    django.setup()
    import payouts.worker.pump  # noqa: F401 (once for all workers)

    for line in sys.stdin:
        size, _space, point = line.strip().partition(" ")
        worker = os.fork()
        if worker == 0:
            pump_and_die(point, int(size))
            os._exit(0)
        _pid, status = os.waitpid(worker, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def pump_and_die(point: str, size: int) -> None:
    from django.db import connection

    from payouts import actions
    from payouts.worker import pump

    record, exchange, take = actions.record_outcomes, pump._exchange, pump._record

    def without_commit(action: Callable[..., Any]) -> Callable[..., Any]:
        def begun(*given: Any, **named: Any) -> Any:
            connection.commit = die
            return action(*given, **named)

        return begun

    def committed(action: Callable[..., Any]) -> Callable[..., Any]:
        def ended(*given: Any, **named: Any) -> Any:
            return action(*given, **named) and die()

        return ended

    turns = threading.Lock()

    def one_at_a_time(*given: Any) -> Any:
        """The first of the batch is called for; no other has begun when we die."""
        with turns:
            exchange(*given)
            return die()

    def all_together(outcomes: Any) -> int:
        """Record the whole batch at once."""
        while outcomes.qsize() < size:
            time.sleep(0.001)
        return take(outcomes)

    match point:
        case "before the claim's commit":
            actions.claim = without_commit(actions.claim)
        case "after the claim's commit":
            actions.claim, actions.claim_suspect = committed(actions.claim), committed(actions.claim_suspect)
        case "after the provider's answer":
            pump._exchange = one_at_a_time
        case "before the record's commit":
            actions.record_outcomes, pump._record = without_commit(record), all_together
        case "after the record's commit":
            actions.record_outcomes, pump._record = committed(record), all_together
        case _:
            raise ValueError(point)
    pump.run()


if __name__ == "__main__":
    main()
