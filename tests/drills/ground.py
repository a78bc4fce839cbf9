"""Where a drill happens: a database and a Redis database of its own on the drills' services, and programs on them."""

import itertools
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Protocol
from urllib.parse import urlsplit

import psutil
import psycopg

from backoffice.local.services import in_database
from tests.bench.stand import BenchError, Program, Stand
from tests.copies import copying
from tests.drills.calls import PASSWORD, Caller, Person

# A tenth of it does on a machine that is free. How quickly something must come is each drill's to say.
PATIENCE_SECONDS = 300.0
REDIS_DATABASES = 16
# The shortest that agree with each other (payouts/checks.py), for what happens when leases end.
SHORT_LEASES = {
    "PROVIDER_TIMEOUT_SECONDS": "2",
    "Q_TIMEOUT_SECONDS": "12",
    "LEASE_SECONDS": "17",
    "SWEEP_SECONDS": "2",
    "STALL_SECONDS": "20",
}

_numbers = itertools.count(1)


@dataclass
class Result:
    """The figure that a drill measured, and what is not as docs/safety.md promises."""

    figure: str
    faults: list[str] = field(default_factory=list)

    def expect(self, holds: object, fault: str) -> None:
        if not holds:
            self.faults.append(fault)


@dataclass(frozen=True)
class Drill[Numbers]:
    """What is done, with the numbers of docs/safety.md or with small ones, whose time limits are infinite."""

    run: Callable[[Stand, Numbers], Result]
    full: Numbers
    small: Numbers


class Paying(Protocol):
    """Who pays."""

    @property
    def settings(self) -> dict[str, str]:
        """The product's, which name it."""


class Paid(Protocol):
    @property
    def payments(self) -> list[dict[str, str]]: ...


class Provider:
    """The drills' provider program; `tell` gives it one of its orders."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.port = int(program.ask())
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        return {"PROVIDER_URL": self.url}

    def tell(self, order: str) -> str:
        return self.program.ask(order)

    @property
    def payments(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads(self.tell("ledger"))["payments"]
        return found

    @property
    def calls(self) -> dict[str, int]:
        return Counter(json.loads(self.tell("ledger"))["calls"])


class Hands:
    """The program that does in Django what no HTTP call does."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def do(self, name: str, *arguments: Any, **options: Any) -> Any:
        return json.loads(self._program.ask(json.dumps([name, arguments, options])))

    def stop(self) -> None:
        self._program.stop()


class Cluster:
    """A running `manage.py cluster`, or one that a drill has made ill."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.process = program.process

    @property
    def main(self) -> psutil.Process:
        return psutil.Process(self.process.pid).children()[0]

    @property
    def sentinel(self) -> psutil.Process:
        return self.main.children()[0]

    @property
    def members(self) -> list[psutil.Process]:
        """q2's order of birth: the workers, the monitor, the pusher. None while it is started afresh."""
        with suppress(IndexError, psutil.NoSuchProcess):
            return sorted(self.sentinel.children(), key=lambda member: member.pid)
        return []

    @property
    def is_whole(self) -> bool:
        """Two workers and the one for files, the monitor and the pusher are there."""
        return len(self.members) == 5

    @property
    def workers(self) -> list[psutil.Process]:
        return self.members[:-2]

    def calls(self, provider: Provider) -> bool:
        """It has a connection to the provider."""
        for process in self.family:
            with suppress(psutil.NoSuchProcess):
                if any(line.raddr and line.raddr.port == provider.port for line in process.net_connections("tcp4")):
                    return True
        return False

    @property
    def family(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            supervisor = psutil.Process(self.process.pid)
            return [supervisor, *supervisor.children(recursive=True)]
        return []

    @property
    def log(self) -> str:
        return self.program.log.read_text(errors="replace")


class Ground(Stand):
    """A stand with a database of its own, a copy of the prepared one; what is started here ends with it."""

    def __init__(self, stand: Stand, name: str) -> None:
        number = next(_numbers)
        self.name = f"{name}_{number}".replace("-", "_")
        with psycopg.connect(stand.services.database, autocommit=True) as connection:
            for statement in copying("payouts", self.name):
                connection.execute(statement)
        services = in_database(stand.services, self.name)
        redis = urlsplit(stand.services.redis)._replace(path=f"/{number % REDIS_DATABASES}").geturl()
        super().__init__(stand.folder, replace(services, redis=redis), ExitStack())
        self.settings = stand.settings | {"DATABASE_URL": services.application, "REDIS_URL": redis}
        self.key = stand.key
        self._codes = {name: list(codes) for name, codes in stand.codes.items()}

    def start(self, name: str, *command: str, **settings: str) -> Program:
        program = self.running(f"{self.name}-{name}-{next(_numbers)}", *command, **settings)
        return self.stack.enter_context(program)

    def start_provider(self) -> Provider:
        return Provider(self.start("provider", "-m", "tests.drills.provider"))

    def start_hands(self, **settings: str) -> Hands:
        return Hands(self.start("hands", "-m", "tests.drills.hands", **settings))

    def start_cluster(
        self, provider: Paying, *, ill: tuple[str, ...] = (), waits: bool = True, **settings: str
    ) -> Cluster:
        """One that has given its first sign of life, unless it is not waited for.

        With CAMPAIGN_MUTANT in the environment each that is not ill otherwise has this one mechanism broken.
        """
        if ill[:1] in ((), ("search",)) and (mutant := os.environ.get("CAMPAIGN_MUTANT")):
            ill = (*ill, "mutant", mutant)
        command = ("-m", "tests.drills.launch", *ill) if ill else ("manage.py", "cluster")
        beats = self.count("payouts_heartbeat")
        cluster = Cluster(self.start("cluster", *command, **(provider.settings | settings)))
        if waits:
            until(
                lambda: self.count("payouts_heartbeat") > beats, "a first heartbeat", say=lambda: cluster.log[-2000:]
            )
        return cluster

    def start_web(self, **settings: str) -> tuple[Program, int]:
        web = self.web(f"{self.name}-web-{next(_numbers)}", "backoffice.wsgi:application", **settings)
        return self.stack.enter_context(web)

    def caller(self, port: int) -> Caller:
        return Caller(port, self.key)

    def person(self, port: int, name: str) -> Person:
        """Logged in with one of their backup codes, which work once on each ground."""
        return Person(port, name, self._codes[name].pop())

    def count(self, table: str, condition: str = "true") -> int:
        return int(self.query(f"SELECT count(*) FROM {table} WHERE {condition}")[0][0])

    def statuses(self) -> dict[str, int]:
        return dict(self.query("SELECT status, count(*) FROM payouts_payout GROUP BY status"))

    def await_processed(self, count: int, seconds: float = PATIENCE_SECONDS) -> float:
        """Seconds until so many payouts are processed."""

        def all_are() -> bool:
            return self.count("payouts_payout", "status = 'processed'") >= count

        return until(all_are, f"{count} processed", seconds, say=lambda: f"there are {self.statuses()}")

    def await_rest(self, seconds: float = PATIENCE_SECONDS) -> float:
        """Seconds until nothing is due or under way."""
        return until(
            lambda: not self.count("payouts_payout", "due_at <= clock_timestamp() + interval '1 hour'"),
            "nothing is due",
            seconds,
            say=lambda: f"there are {self.statuses()}",
        )

    def judge(self, result: Result, *providers: Paid, lost: Collection[str] = (), after_id: int = 0) -> Result:
        """Add what is wrong with the money: the ledgers beside the database, and the audit.

        `lost` are keys of payments that the database has forgotten, and for which nobody asked again. Payouts up to
        `after_id` were made without a provider.
        """
        payments = [each for provider in providers for each in provider.payments if each["reference"] not in lost]
        times = Counter(payment["payout"] for payment in payments)
        twice = [payout for payout, count in times.items() if count > 1]
        result.expect(not twice, f"paid more than once: {twice[:5]}")
        ours = {
            str(reference): amount
            for reference, amount in self.query(
                "SELECT p.reference, p.amount FROM payouts_payout p JOIN payouts_attempt a ON a.payout_id = p.id"
                " WHERE a.outcome = 'succeeded' AND p.status = 'processed' AND p.id > %s",
                [after_id],
            )
        }
        wrong = set(ours) ^ set(times)
        result.expect(not wrong, f"{len(wrong)} paid there and not here, or the other way: {sorted(wrong)[:5]}")
        amounts = [each for each in payments if Decimal(each["amount"]) != ours.get(each["payout"])]
        result.expect(not amounts, f"{len(amounts)} paid with another amount")
        with suppress_into(result):
            self.manage("audit")
        return result


@contextmanager
def suppress_into(result: Result) -> Iterator[None]:
    """What failed is a fault of the drill."""
    try:
        yield
    except BenchError as error:
        result.faults.append(str(error))


@contextmanager
def ground(stand: Stand, name: str) -> Iterator[Ground]:
    here = Ground(stand, name)
    with here.stack:
        yield here


def until(
    holds: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS, say: Callable[[], str] = lambda: ""
) -> float:
    """Seconds that it took. Raises BenchError when it takes longer than that."""
    began_at = time.monotonic()
    while not holds():
        if time.monotonic() - began_at > seconds:
            raise BenchError(f"Not in {seconds:.0f} seconds: {what}. {say()}")
        time.sleep(0.05)
    return time.monotonic() - began_at


def prepare(stand: Stand) -> None:
    """The schema, the static files, a client with every scope and two people: what each ground is a copy of."""
    stand.migrate()
    stand.manage("collectstatic", "--noinput", "--verbosity", "0")
    scopes = "payouts:read,payouts:write,payouts:settle,payouts:reveal"
    made = stand.manage("create_api_client", "drills", "--scopes", scopes, "--json").splitlines()[-1]
    stand.key = json.loads(made)["key"]
    with stand.running("people", "-m", "tests.drills.hands") as program:
        stand.codes = Hands(program).do("people", PASSWORD)
