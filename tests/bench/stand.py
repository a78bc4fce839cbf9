"""What the bench starts, with production's settings, and what it costs in CPU. All of it ends with the bench."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import psutil
import psycopg

from backoffice.environment import SETTINGS
from backoffice.local.secrets import new_secrets
from backoffice.local.servers import ServiceError, ends_with_parent, free_port
from backoffice.local.services import Services, in_database, local_services

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 300
STOP_SECONDS = 60


class BenchError(Exception):
    """Something that is measured does not work; the text is a sentence for a person."""


@dataclass(frozen=True)
class Cost:
    """CPU seconds used so far, by the processes that were asked for and by PostgreSQL."""

    server: float
    postgres: float

    def per_thousand(self, before: "Cost", count: int) -> "Cost":
        scale = 1000 / count
        return Cost((self.server - before.server) * scale, (self.postgres - before.postgres) * scale)


class Program:
    """A child process in a session of its own, which writes its log to a file."""

    def __init__(self, name: str, process: "subprocess.Popen[str]", log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log

    def ask(self, line: str = "") -> str:
        """Send a line, if any, and return the line that it answers with."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if line:
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise self.failed()
        return answer.strip()

    def failed(self) -> BenchError:
        return BenchError(f"{self.name} failed:\n{self.log.read_text(errors='replace')[-3000:]}")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Stand:
    """The services, the settings, and the programs that run on them."""

    def __init__(self, folder: Path, services: Services, stack: ExitStack) -> None:
        self.folder = folder
        self.services = services
        self.stack = stack
        self.settings = {
            **dict.fromkeys(SETTINGS, ""),  # a developer's .env changes none of them
            **new_secrets(),
            "DATABASE_URL": services.application,
            "REDIS_URL": services.redis,
            "DJANGO_SETTINGS_MODULE": "backoffice.settings",
            "DJANGO_DEBUG": "off",
            "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
            "TRUSTED_PROXIES": "1",
            "LOG_LEVEL": "WARNING",
            "LOG_FORMAT": "json",
            "API_THROTTLE": "1000000/m",  # counted as ever, and out of reach
            "PROVIDER_URL": "http://127.0.0.1:9",
            "Q_WORKERS": "2",
        }
        self.key = ""
        self.codes: dict[str, list[str]] = {}
        """Of people's second factor, by name."""

    def on(self, name: str) -> "Stand":
        """The same, on the server's database of this name."""
        other = Stand(self.folder, in_database(self.services, name), self.stack)
        other.settings = self.settings | {"DATABASE_URL": other.services.application}
        return other

    def migrate(self) -> None:
        """As the owner of the tables, who alone can."""
        self.manage("migrate", "--verbosity", "0", DATABASE_URL=self.services.database)

    def prepare(self) -> None:
        """Make the schema, and the client `bench` with its key."""
        self.migrate()
        made = self.manage(
            "create_api_client", "bench", "--scopes", "payouts:read,payouts:write", "--json"
        ).splitlines()[-1]
        self.key = json.loads(made)["key"]

    def manage(self, *arguments: str, **settings: str) -> str:
        answer = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=os.environ | self.settings | settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            preexec_fn=ends_with_parent(signal.SIGTERM),
        )
        if answer.returncode:
            raise BenchError(f"manage.py {arguments[0]} failed:\n{answer.stdout[-3000:]}{answer.stderr[-3000:]}")
        return answer.stdout

    @contextmanager
    def running(self, name: str, *command: str, **settings: str) -> Iterator[Program]:
        log = self.folder / f"{name}.log"
        with log.open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=os.environ | self.settings | {"PYTHONUNBUFFERED": "1"} | settings,
                stdin=subprocess.PIPE,
                # Services log there, and are asked nothing.
                stdout=errors if {"backoffice.serve", "cluster", "exporter"} & set(command) else subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
                preexec_fn=ends_with_parent(signal.SIGTERM),
            )
        program = Program(name, process, log)
        try:
            yield program
        finally:
            program.stop()

    @contextmanager
    def provider(self, delay_ms: float) -> Iterator[str]:
        """The bench's provider; yields its URL."""
        with self.running("provider", "-m", "tests.bench.provider", "--delay-ms", str(delay_ms)) as program:
            yield f"http://127.0.0.1:{program.ask()}"

    @contextmanager
    def web(
        self, name: str = "web", application: str = "tests.bench.wsgi:application", **settings: str
    ) -> Iterator[tuple[Program, int]]:
        """The web server as the image starts it, serving the product and the bare views; yields its port too."""
        port = free_port()
        with self.running(name, *web_command(port, application), **settings) as program:
            deadline = time.monotonic() + START_SECONDS
            while True:
                try:
                    fetch(f"http://127.0.0.1:{port}/healthz/")
                    break
                except OSError:
                    if program.process.poll() is not None or time.monotonic() > deadline:
                        raise program.failed() from None
                    time.sleep(0.1)
            yield program, port

    @contextmanager
    def cluster(self, provider_url: str) -> Iterator[Program]:
        with self.running("cluster", "manage.py", "cluster", PROVIDER_URL=provider_url) as program:
            yield program

    @contextmanager
    def workers(self, count: int) -> Iterator[list[Program]]:
        with ExitStack() as stack:
            yield [
                stack.enter_context(self.running(f"worker-{number}", "-m", "tests.bench.worker"))
                for number in range(count)
            ]

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.services.database) as connection:
            return connection.execute(statement, values).fetchall()

    def cost(self, *programs: Program) -> Cost:
        return Cost(
            sum(_cpu_seconds(program.process.pid) for program in programs),
            _cpu_seconds(self.services.servers["postgres"].process.pid),
        )


def web_command(port: int, application: str) -> tuple[str, ...]:
    """What starts the web server, but for the interpreter."""
    return ("-m", "backoffice.serve", "--port", str(port), "--application", application)


def _cpu_seconds(pid: int) -> float:
    """Of the process and all under it, those that ended included."""
    root = psutil.Process(pid)
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        try:
            total += sum(process.cpu_times()[:4])  # user, system, and both of the children that ended
        except psutil.NoSuchProcess:
            continue
    return total


def fetch(url: str, headers: dict[str, str] | None = None) -> Any:
    """The JSON at a URL. Raises OSError."""
    opener = build_opener(ProxyHandler({}))
    with opener.open(Request(url, headers=headers or {}), timeout=5) as answer:
        return json.loads(answer.read())


def listen() -> None:
    """The first signal stops everything in order; make and uv hand the terminal's on, so more of them say no more."""

    def stop(number: int, frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


def exit_code(measure: Callable[[Stand], None]) -> int:
    """What a command that measures on a stand of its own ends with: 0, or what kept it, as a sentence."""
    listen()
    try:
        with stand() as started:
            measure(started)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except (BenchError, ServiceError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


@contextmanager
def stand(postgres_options: Mapping[str, str] | None = None) -> Iterator[Stand]:
    """Everything in a temporary folder that is removed in the end. Call it from the main thread.

    Services of their own always, and durable: PostgreSQL syncs each commit to the disk as in production, because that
    is a good part of what a payout costs. A given DATABASE_URL is left alone: nobody wants a million rows in there.
    """
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    folder = Path(tempfile.mkdtemp(prefix="payouts-bench-"))
    folder.chmod(0o711)  # root's PostgreSQL runs as another user, who passes through
    try:
        with ExitStack() as stack:
            services = stack.enter_context(local_services(folder, postgres_options=postgres_options))
            yield Stand(folder, services, stack)
    finally:
        shutil.rmtree((folder / "postgres").resolve(), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
