"""`make drills`: see the package."""

import argparse
import sys
import time
import traceback
from typing import Any

from backoffice.local.servers import ServiceError
from tests.bench.stand import BenchError, Stand, listen, stand
from tests.drills import (
    accounts,
    alerts,
    archive,
    audit,
    backups,
    cache,
    clock,
    database,
    deploys,
    door,
    drain,
    duplicates,
    files,
    forgetting,
    funds,
    kills,
    late,
    leases,
    outage,
    pinned,
    poison,
    pooler,
    posts,
    races,
    replica,
    roles,
    rotation,
    thief,
    webhooks,
)
from tests.drills.ground import Drill, Result, prepare

DRILLS: dict[str, Drill[Any]] = {
    "same-post": posts.SAME_POST,
    "races": races.RACES,
    "duplicates": duplicates.DUPLICATES,
    "stopped": duplicates.STOPPED,
    "late-success": late.LATE_SUCCESS,
    "other-account": accounts.OTHER_ACCOUNT,
    "pinned": pinned.PINNED,
    "funds": funds.FUNDS,
    "leases": leases.LEASES,
    "outage": outage.OUTAGE,
    "poison": poison.POISON,
    "webhooks": webhooks.WEBHOOKS,
    "database": database.DATABASE,
    "restore": forgetting.RESTORE,
    "restore-drill": backups.RESTORE_DRILL,
    "failover": forgetting.FAILOVER,
    "lost-commit": forgetting.LOST_COMMIT,
    "copy": forgetting.COPY,
    "redis": cache.REDIS,
    "clock": clock.CLOCK,
    "kills": kills.KILLS,
    "drain": drain.DRAIN,
    "deploys": deploys.DEPLOYS,
    "rotation": rotation.ROTATION,
    "keys": backups.KEYS,
    "audit": audit.AUDIT,
    "archive": archive.ARCHIVE,
    "sql": thief.SQL,
    "roles": roles.ROLES,
    "pooler": pooler.POOLER,
    "replica": replica.REPLICA,
    "hostile-files": files.HOSTILE_FILES,
    "slow-bodies": door.SLOW_BODIES,
    "slow-headers": door.SLOW_HEADERS,
    "idle-connections": door.IDLE_CONNECTIONS,
    "locked-row": door.LOCKED_ROW,
    "alerts": alerts.ALERTS,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make drills", description="Survive each failure of docs/safety.md, once.")
    parser.add_argument("names", nargs="*", metavar="name", help="some of those that --list tells; all by default")
    parser.add_argument("--list", action="store_true", help="tell the names")
    parser.add_argument("--small", action="store_true", help="with few payouts: whether each works, not how quickly")
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
            names = [name for name in DRILLS if name in (arguments.names or DRILLS)]
            failed = [name for name in names if not _passes(started, DRILLS[name], name, arguments.small)]
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except (BenchError, ServiceError) as error:
        print(error, file=sys.stderr)
        return 1
    if failed:
        print(f"Not as docs/safety.md promises: {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


def _passes(started: Stand, drill: Drill[Any], name: str, is_small: bool) -> bool:
    began_at = time.monotonic()
    try:
        result = drill.run(started, drill.small if is_small else drill.full)
    except Exception as error:  # the other drills have figures too
        traceback.print_exc()
        result = Result("did not come to its end", [str(error)])
    verdict = "FAILED" if result.faults else "ok"
    print(f"{verdict:6} {name:13} {result.figure} ({time.monotonic() - began_at:.0f} s)", flush=True)
    for fault in result.faults:
        print(f"       {fault}", flush=True)
    return not result.faults


if __name__ == "__main__":
    sys.exit(main())
