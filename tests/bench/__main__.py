"""`make bench`: see the package."""

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from backoffice.local.servers import ServiceError
from tests.bench import api, drain, latency
from tests.bench import fill as filling
from tests.bench.figures import Figure, table, write
from tests.bench.stand import ROOT, BenchError, Stand, listen, stand

PARTS = ("drain", "latency", "api")
RESULTS = ROOT / "var" / "bench.json"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description="Measure the speed, on services of its own.")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"some of {', '.join(PARTS)}; all by default")
    parser.add_argument("--rows", type=int, default=1_000_000, help="finished payouts behind (%(default)s)")
    parser.add_argument("--rounds", type=int, default=api.ROUNDS, help="of each call of the API (%(default)s)")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    listen()
    figures: list[Figure] = []
    began_at = time.monotonic()
    try:
        with stand() as started:
            say("services, schema")
            started.prepare()
            machine = _machine(started, arguments.rows)
            for figure in measure(started, set(arguments.parts or PARTS), arguments.rows, arguments.rounds):
                figures.append(figure)
                say(f"  {figure.name}: {figure.ours:.0f} {figure.unit}")
    except KeyboardInterrupt:
        say("Stopped.")
        return 130
    except (BenchError, ServiceError) as error:
        say(str(error))
        return 1
    print(f"\n{table(figures)}\n")
    for figure in figures:
        if figure.note:
            print(f"  {figure.name}: {figure.note}")
    print(
        f"Two numbers in a column are ours / bare. {time.monotonic() - began_at:.0f} s on {machine['cores']} cores."
    )
    write(RESULTS, figures, machine)
    print(f"As JSON: {RESULTS.relative_to(ROOT)}")
    return 0


def measure(started: Stand, parts: set[str], rows: int, rounds: int) -> Iterator[Figure]:
    """The empty table first, then the full one; the API's load last, because it leaves payouts due."""
    empty = None
    if "drain" in parts:
        say("drain, provider in the process")
        empty = drain.in_process(started)
        yield Figure("drain, provider in the process", "/s", empty.per_second, 1_500, cost=empty.cost)
        say("drain over HTTP")
        yield drain.over_http(started)
        say("audit of what was drained")
        started.manage("audit")
    if "latency" in parts:
        say("latency")
        yield from latency.measure(started)
    if not {"drain", "api"} & parts:
        return
    say(f"{rows:,} finished payouts behind")
    ids = filling.fill(started.services.database, rows)
    if empty:
        say("drain again")
        full = drain.in_process(started)
        yield Figure(
            f"drain, {rows:,} finished behind",
            "/s",
            full.per_second,
            0.8,
            bare=empty.per_second,
            cost=full.cost,
            bare_cost=empty.cost,
            note="beside the same drain on an empty table",
        )
    if "api" in parts:
        say("API")
        yield from api.measure(started, ids, rounds)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _machine(started: Stand, rows: int) -> dict[str, object]:
    ((version,),) = started.query("SHOW server_version")
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.process_cpu_count(),
        "python": platform.python_version(),
        "postgresql": version.split()[0],
        "rows": rows,
    }


if __name__ == "__main__":
    sys.exit(main())
