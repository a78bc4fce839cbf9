"""`make bench`: see the package."""

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from backoffice.local.servers import ServiceError
from tests.bench import api, drain, hot, latency
from tests.bench import fill as filling
from tests.bench.figures import Figure, table, write
from tests.bench.numbers import FULL, SMALL, Numbers
from tests.bench.stand import ROOT, BenchError, Stand, listen, stand

PARTS = ("drain", "latency", "api", "hot")
RESULTS = ROOT / "var" / "bench.json"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description="Measure the speed, on services of its own.")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"some of {', '.join(PARTS)}; all by default")
    parser.add_argument("--rows", type=int, help=f"finished payouts behind ({FULL.rows})")
    parser.add_argument("--rounds", type=int, help=f"of each call of the API ({FULL.rounds})")
    parser.add_argument("--small", action="store_true", help="little of everything: does each part work?")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    given = {name: getattr(arguments, name) for name in ("rows", "rounds") if getattr(arguments, name)}
    numbers = replace(SMALL if arguments.small else FULL, **given)
    listen()
    figures: list[Figure] = []
    began_at = time.monotonic()
    try:
        with stand() as started:
            say("services, schema")
            started.prepare()
            machine = _machine(started, numbers.rows)
            for figure in measure(started, set(arguments.parts or PARTS), numbers):
                figures.append(figure)
                say(f"  {figure.name}: {figure.ours:.0f} {figure.unit}")
    except KeyboardInterrupt:
        say("Stopped.")
        return 130
    except (BenchError, ServiceError) as error:
        say(str(error))
        return 1
    took = f"{time.monotonic() - began_at:.0f} s on {machine['cores']} cores"
    if arguments.small:
        print(f"{len(figures)} figures. How good they are is not judged: they are of too little. {took}.")
        return 0
    print(f"\n{table(figures)}\n")
    for figure in figures:
        if figure.note:
            print(f"  {figure.name}: {figure.note}")
    print(f"Two numbers in a column are ours / bare. {took}.")
    write(RESULTS, figures, machine)
    print(f"As JSON: {RESULTS.relative_to(ROOT)}")
    return 0


def measure(started: Stand, parts: set[str], numbers: Numbers) -> Iterator[Figure]:
    """The empty table first, then the full one; the API's load last, because it leaves payouts due."""
    empty = None
    if "drain" in parts:
        say("drain, provider in the process")
        empty = drain.in_process(started, numbers)
        yield Figure("drain, provider in the process", "/s", empty.per_second, 1_500, cost=empty.cost)
        say("drain over HTTP")
        yield drain.over_http(started, numbers.http_payouts)
        say("audit of what was drained")
        started.manage("audit")
    if "latency" in parts:
        say("latency")
        yield from latency.measure(started, numbers.latency_payouts)
    if "hot" in parts:
        say(f"{numbers.hot_rows:,} payouts of one recipient, and due at a paused provider")
        yield from hot.measure(started, numbers)
    if not {"drain", "api"} & parts:
        return
    say(f"{numbers.rows:,} finished payouts behind")
    ids = filling.fill(started.services.database, numbers.rows)
    if empty:
        say("drain again")
        full = drain.in_process(started, numbers)
        yield Figure(
            f"drain, {numbers.rows:,} finished behind",
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
        yield from api.measure(started, ids, numbers)


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
