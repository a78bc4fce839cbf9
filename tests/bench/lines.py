"""What a line in the log costs, in CPU time: of a move, of a call and of a request, written as JSON to nowhere.

python -m tests.bench.lines --times 20000
"""

import argparse
import io
import logging
import os
import sys
import time
import uuid
from collections.abc import Callable

os.environ |= {"LOG_LEVEL": "INFO", "LOG_FORMAT": "json"}

import structlog

from backoffice import logs

KEY, REQUEST_ID = str(uuid.uuid4()), uuid.uuid4().hex
LINES: dict[str, dict[str, object]] = {
    "payout_moved": {
        "payout": 123_456,
        "move": "succeeded",
        "from_status": "processing",
        "to_status": "processed",
        "client": 7,
        "provider": "main",
        "attempt": KEY,
        "request_id": REQUEST_ID,
        "duration_ms": 212,
    },
    "provider_called": {
        "call": "pay",
        "provider": "main",
        "attempt": KEY,
        "verdict": "succeeded",
        "http_status": 201,
        "duration_ms": 103.4,
        "payout": 123_456,
        "request_id": REQUEST_ID,
        "client": 7,
    },
    "request": {
        "method": "POST",
        "path": "/api/payouts/",
        "route": "api/payouts/",
        "status": 201,
        "client": 7,
        "payout": 123_456,
        "duration_ms": 8.2,
        "request_id": REQUEST_ID,
    },
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.lines", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--times", type=int, default=20_000, help="of each line (20000)")
    given = parser.parse_args()
    _begin()
    log = structlog.get_logger("payouts.bench")
    for event, facts in LINES.items():
        spent = _spent(lambda event=event, facts=facts: log.info(event, **facts), given.times)
        print(f"{event}: {spent * 1e6:.1f} µs")
    logging.getLogger("payouts").setLevel(logging.WARNING)
    spent = _spent(lambda: log.info("payout_moved", **LINES["payout_moved"]), given.times)
    print(f"payout_moved, below LOG_LEVEL: {spent * 1e6:.1f} µs")
    return 0


def _begin() -> None:
    """As a service has it, but that nothing is shown."""
    logs.configure("json")
    handler = logging.StreamHandler(io.TextIOWrapper(open(os.devnull, "wb"), write_through=True))  # noqa: SIM115
    handler.setFormatter(logs.formatter("json"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def _spent(say: Callable[[], object], times: int) -> float:
    """Seconds of CPU for one."""
    began_at = time.process_time()
    for _each in range(times):
        say()
    return (time.process_time() - began_at) / times


if __name__ == "__main__":
    sys.exit(main())
