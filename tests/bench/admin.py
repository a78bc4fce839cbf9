"""Whether the back office stays quick with millions of payouts: `make bench-admin`.

    make bench-admin                  10,000 payouts beside 5,000,000
    make bench-admin ROWS=100000      fewer
    make bench-admin ARGS=--small     2,000 beside 1,000, once: does every page open?

Two databases of one server, a year of payouts in each, and a process of the product on each. Every page is asked
for in turn on both, so that what else the machine does meets both alike. Fails when a page takes more than twice as
long on the large one, or when a query of it reads a large table whole. Of filters that may match anything, such as an
amount, that is not asked: they are shown beside.
"""

import argparse
import json
import operator
import statistics
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import psycopg

from backoffice.local.postgres import NOT_DURABLE
from backoffice.local.servers import ServiceError
from tests.bench import fill as filling
from tests.bench.figures import in_columns
from tests.bench.stand import ROOT, BenchError, Program, Stand, listen, stand
from tests.copies import copying

FEW = 10_000
PERSON = "bench"  # of pages.py
MOST = 2.0
ROUNDS = 11
SMALL = (2_000, 1_000, 1)
CLIENTS = ["bench", "shop", "wallet", "market"]
RESULTS = ROOT / "var" / "bench-admin.json"
# Nothing is written while the pages are measured; the rows are there sooner.
POSTGRES_OPTIONS = {**NOT_DURABLE, "max_wal_size": "16GB", "wal_level": "minimal", "max_wal_senders": "0"}


@dataclass(frozen=True)
class Page:
    """One page: medians in milliseconds, the first time of all on the large database, the rounds' median ratio."""

    name: str
    few: float
    many: float
    first: float
    ratio: float
    plans: list[dict[str, Any]]

    @property
    def scanned(self) -> list[str]:
        return sorted({table for plan in self.plans for table in plan["scanned"]})

    @property
    def faults(self) -> list[str]:
        slow = [f"{self.ratio:.1f} times as long"] if self.ratio > MOST else []
        return slow + [f"reads all of {table}" for table in self.scanned]

    @property
    def is_asked(self) -> bool:
        """Whether it must be as quick: a filter that no index serves reads until it has found its page."""
        return not self.name.startswith("filter:")

    @property
    def verdict(self) -> str:
        if not self.faults:
            return "pass"
        return "MISS" if self.is_asked else "slow"

    @property
    def worst(self) -> str:
        if not self.plans:
            return ""
        plan = max(self.plans, key=lambda plan: plan["rows"])
        return f"{plan['rows']:,} rows, {plan['node']}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-admin", description="Is the back office quick at size?")
    parser.add_argument("--rows", type=int, default=5_000_000, help="payouts in the large database (%(default)s)")
    parser.add_argument("--few", type=int, default=FEW, help="payouts in the small one (%(default)s)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of each page, on each (%(default)s)")
    parser.add_argument("--sql", action="store_true", help="print the SQL of what is at fault")
    parser.add_argument("--small", action="store_true", help="2,000 beside 1,000, once: does every page open?")
    arguments = parser.parse_args()
    if arguments.small:
        arguments.rows, arguments.few, arguments.rounds = SMALL
    listen()
    began_at = time.monotonic()
    try:
        with stand(POSTGRES_OPTIONS) as started:
            pages = measure(started, arguments.few, arguments.rows, arguments.rounds)
    except KeyboardInterrupt:
        say("Stopped.")
        return 130
    except (BenchError, ServiceError) as error:
        say(str(error))
        return 1
    if arguments.small:
        print(f"{len(pages)} pages open on both. How quickly is not judged: small tables are read whole.")
        return 0
    print(f"\n{table(pages, arguments.few, arguments.rows)}\n")
    seconds = time.monotonic() - began_at
    print(f"Medians of {arguments.rounds} rounds, in ms, and of their ratios. {seconds:.0f} s in all.")
    faulty = [page for page in pages if page.faults]
    for page in faulty:
        print(f"  {page.name}: {', '.join(page.faults)}")
        if arguments.sql:
            for plan in page.plans:
                print(f"    {plan['rows']:,} rows, {plan['node']}: {plan['sql']}")
    write(pages, arguments.few, arguments.rows)
    return 1 if any(page.is_asked for page in faulty) else 0


def measure(started: Stand, few: int, many: int, rounds: int) -> list[Page]:
    say("services, schema")
    started.prepare()
    with started.running("people", "-m", "tests.bench.pages", "people") as program:
        if program.process.wait():
            raise program.failed()
    ((person,),) = started.query("SELECT id FROM auth_user WHERE username = %s", [PERSON])
    small = started.on(_copied(started.services.database))
    for each, rows in ((small, few), (started, many)):
        say(f"{rows:,} payouts")
        began_at = time.monotonic()
        filling.fill_office(each.services.database, rows, person=person, clients=CLIENTS)
        say(f"  {time.monotonic() - began_at:.0f} s")
    with psycopg.connect(started.services.database, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
    with ExitStack() as stack:
        programs = [
            stack.enter_context(each.running(name, "-m", "tests.bench.pages"))
            for name, each in (("few", small), ("many", started))
        ]
        addresses = [json.loads(program.ask()) for program in programs]
        if list(addresses[0]) != list(addresses[1]):
            raise BenchError(f"The two have other pages: {set(addresses[0]) ^ set(addresses[1])}")
        return [_measured(name, programs, [of_one[name] for of_one in addresses], rounds) for name in addresses[0]]


def _copied(database: str) -> str:
    """The name of a second database with the schema of the first."""
    place, _slash, name = database.rpartition("/")
    name, question, options = name.partition("?")
    with psycopg.connect(f"{place}/postgres{question}{options}", autocommit=True) as connection:
        for statement in copying(name, "few"):
            connection.execute(statement)
    return "few"


def _measured(name: str, programs: list[Program], urls: list[str], rounds: int) -> Page:
    first = [json.loads(program.ask(f"ask {url}")) for program, url in zip(programs, urls, strict=True)]
    times: list[list[float]] = [[], []]
    for number in range(rounds):
        for side in (0, 1) if number % 2 else (1, 0):
            times[side].append(json.loads(programs[side].ask(f"ask {urls[side]}")))
    few, many = (statistics.median(of_one) for of_one in times)
    ratio = statistics.median(map(operator.truediv, times[1], times[0]))
    plans = json.loads(programs[1].ask(f"explain {urls[1]}"))
    page = Page(name, few, many, first[1], ratio, plans)
    say(f"  {name}: {few:.0f} ms, {many:.0f} ms {' '.join(page.faults)}")
    return page


def table(pages: list[Page], few: int, many: int) -> str:
    headings = ("page", f"{few:,}", f"{many:,}", "first", "ratio", "", "most rows read by a query")
    rows = [
        (
            page.name,
            f"{page.few:.0f}",
            f"{page.many:.0f}",
            f"{page.first:.0f}",
            f"{page.ratio:.2f}",
            page.verdict,
            page.worst,
        )
        for page in pages
    ]
    return in_columns([headings, *rows], left=(0, 6))


def write(pages: list[Page], few: int, many: int) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    content = {
        "few": few,
        "many": many,
        "pages": [
            {"name": page.name, "few": page.few, "many": page.many, "first": page.first, "plans": page.plans}
            for page in pages
        ],
    }
    RESULTS.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    print(f"As JSON: {RESULTS.relative_to(ROOT)}")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
