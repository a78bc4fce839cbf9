"""`make drills`: see the package."""

import argparse
import sys
import time
import traceback
from collections.abc import Callable

from backoffice.local.servers import ServiceError
from tests.bench.stand import BenchError, Stand, listen, stand
from tests.drills import (
    audit,
    cache,
    clock,
    database,
    deploys,
    drain,
    duplicates,
    kills,
    outage,
    poison,
    posts,
    races,
    webhooks,
)
from tests.drills.ground import Result, prepare

DRILLS: dict[str, Callable[[Stand], Result]] = {
    "same-post": posts.same_post,
    "races": races.races,
    "duplicates": duplicates.duplicates,
    "stopped": duplicates.stopped,
    "outage": outage.outage,
    "poison": poison.poison,
    "webhooks": webhooks.webhooks,
    "database": database.database,
    "redis": cache.cache,
    "clock": clock.clock,
    "kills": kills.kills,
    "drain": drain.drain,
    "deploys": deploys.deploys,
    "audit": audit.audit,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make drills", description="Survive each failure of docs/safety.md, once.")
    parser.add_argument("names", nargs="*", metavar="name", help="some of those that --list tells; all by default")
    parser.add_argument("--list", action="store_true", help="tell the names")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(DRILLS))
        return 0
    if unknown := set(arguments.names) - set(DRILLS):
        parser.error(f"there is no drill {', '.join(sorted(unknown))}; there are {', '.join(DRILLS)}")
    listen()
    try:
        with stand() as started:
            prepare(started)
            failed = [name for name in DRILLS if name in (arguments.names or DRILLS) and not _passes(started, name)]
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except (BenchError, ServiceError) as error:
        print(error, file=sys.stderr)
        return 1
    if failed:
        print(f"Not as docs/safety.md promises: {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


def _passes(started: Stand, name: str) -> bool:
    began_at = time.monotonic()
    try:
        result = DRILLS[name](started)
    except Exception as error:  # the other drills have figures too
        traceback.print_exc()
        result = Result("did not come to its end", [str(error)])
    verdict = "FAILED" if result.faults else "ok"
    print(f"{verdict:6} {name:10} {result.figure} ({time.monotonic() - began_at:.0f} s)", flush=True)
    for fault in result.faults:
        print(f"       {fault}", flush=True)
    return not result.faults


if __name__ == "__main__":
    sys.exit(main())
