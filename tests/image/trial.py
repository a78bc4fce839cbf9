"""Each command of the image, run as a platform runs it, and what is not as it should be."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from backoffice.environment import SETTINGS
from backoffice.local.servers import ends_with_parent, free_port
from tests.bench.stand import Stand
from tests.image.build import Image
from tests.image.tools import ImageError

PATIENCE_SECONDS = 300
STOP_SECONDS = 100
TLS = {"X-Forwarded-Proto": "https"}
OWNER = 10001
PAYOUT = {"user_id": 1, "amount": 100.5, "currency": "RUB", "recipient_details": {"card": "4111 1111 1111 1111"}}


class Trial:
    def __init__(self, image: Image, stand: Stand) -> None:
        self.image = image
        self.stand = stand
        self.settings = {
            **{name: value for name, value in stand.settings.items() if value and name in SETTINGS},
            "LOG_LEVEL": "INFO",
            "WEB_CONCURRENCY": "2",
            "PROVIDER_URL": f"http://127.0.0.1:{free_port()}",
        }
        self.seconds: dict[str, float] = {}
        self.faults: list[str] = []
        self._stack = ExitStack()

    def run(self) -> None:
        """Raises ImageError where it cannot go on."""
        with self._timed("migrate"):
            self._manage("migrate", "--verbosity", "0", DATABASE_URL=self.stand.services.database)  # the owner's
        self._look_inside()
        self._dump()
        key = json.loads(
            self._manage("create_api_client", "tried", "--scopes", "payouts:read,payouts:write", "--json")
        )
        sandbox = self.settings["PROVIDER_URL"].rpartition(":")[2]
        web = f"http://127.0.0.1:{(port := free_port())}"
        with ExitStack() as self._stack:
            self._start("provider", "-m", "payouts.sandbox", "--port", sandbox, "--ledger", "/tmp/sandbox.sqlite3")
            with self._timed("web until /healthz/"):
                served = self._start("web", "-m", "backoffice.serve", "--port", str(port))
                self._await(lambda: fetch(f"{web}/healthz/"), served)
            with self._timed("the first /readyz/"):
                self._expect(
                    fetch(f"{web}/readyz/")["database"] == "ok", "/readyz/ does not say that the database is ok"
                )
            with self._timed("cluster until --check"):
                cluster = self._start("cluster", "manage.py", "cluster")
                self._await(lambda: self._is_alive(cluster), cluster)
            running = [served, cluster, self._export()]
            with self._timed("POST until processed"):
                self._pay(web, key["key"], cluster)
            self._look_at_pages(web)
            for process in running:
                self._is_confined(process)
            for process in running:
                self._stops(process)

    def _look_inside(self) -> None:
        attempt = self._inside("sh", "-c", "touch /app/here; touch /opt/venv/here; touch /tmp/here && id -u")
        self._expect(attempt.stdout.split() == [str(OWNER)], f"it runs as {attempt.stdout!r}, {attempt.stderr!r}")
        self._expect(attempt.stderr.count("Read-only") == 2, f"its root is not read-only: {attempt.stderr!r}")
        told = self._inside("sh", "-c", 'echo "$BUILD"').stdout.strip()
        self._expect(told == self.image.build, f"BUILD is {told!r}, not {self.image.build}")
        clients = "import boto3; [boto3.client(name, region_name='eu-central-1') for name in ('s3', 'sts', 'sso')]"
        stored = self._inside("python", "-c", clients)
        self._expect(stored.returncode == 0, f"boto3 lacks what is needed: {stored.stderr[-500:]}")
        uncompiled = self._inside("python", "-v", "-c", "import argparse, asyncio, payouts.apps, backoffice.serve")
        without = [line for line in uncompiled.stderr.splitlines() if "code object from" in line and ".py'" in line]
        compiled = [line for line in without if "/lib/python3" in line or "/app/" in line]
        self._expect(not compiled, f"{len(compiled)} modules are compiled at each start: {compiled[:3]}")

    def _dump(self) -> None:
        database = self.settings["DATABASE_URL"]
        dumped = self._inside("pg_dump", "--format=custom", "--file=/tmp/dump", f"--dbname={database}")
        self._expect(dumped.returncode == 0, f"pg_dump: {dumped.stderr}")
        unreachable = self._inside("pg_dump", "host=127.0.0.1 port=9 sslmode=require dbname=none")
        self._expect("refused" in unreachable.stderr, f"pg_dump speaks no TLS: {unreachable.stderr}")
        restored = self._inside("pg_restore", "--version")
        self._expect(restored.returncode == 0, f"pg_restore: {restored.stderr}")

    def _look_at_pages(self, web: str) -> None:
        """Each file that they name is there."""
        for page in ("/admin/login/", "/api/docs/"):
            names = re.findall(r'(?:href|src)="(/static/[^"]+)"', read(f"{web}{page}", TLS))
            self._expect(names, f"{page} names no file")
            for name in names:
                try:
                    read(f"{web}{name}", TLS)
                except OSError as error:
                    self.faults.append(f"{page}: {error}")

    def _pay(self, web: str, key: str, cluster: "Process") -> None:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **TLS}
        made = fetch(f"{web}/api/payouts/", headers, PAYOUT)
        self._await(lambda: fetch(f"{web}/api/payouts/{made['id']}/", headers)["status"] == "processed", cluster)

    def _export(self) -> "Process":
        port = free_port()
        with self._timed("exporter until /metrics"):
            exporter = self._start("exporter", "manage.py", "exporter", "--host", "127.0.0.1", METRICS_PORT=str(port))
            self._await(lambda: self.image.build in read(f"http://127.0.0.1:{port}/metrics"), exporter)
        return exporter

    def _is_alive(self, cluster: "Process") -> bool:
        """As a probe is run: in the container, beside the cluster."""
        pid = str(cluster.pid)
        confined = ("setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--clear-groups", "--no-new-privs")
        probe = ("nsenter", f"--target={pid}", "--mount", "--root", "--wd", "--", *confined, "--")
        variables = [f"{name}={value}" for name, value in self.image.environment.items()]
        command = [*probe, "env", "--chdir=/app", *variables, "python", "manage.py", "cluster", "--check"]
        began_at = time.monotonic()
        code = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True).returncode
        self.seconds["cluster --check"] = time.monotonic() - began_at
        return code == 0

    def _is_confined(self, process: "Process") -> None:
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
            if ":\t" in line
        )
        found = (status["Uid"].split()[0], int(status["CapBnd"], 16), int(status["CapEff"], 16), status["NoNewPrivs"])
        self._expect(found == (str(OWNER), 0, 0, "1"), f"{process.name} runs with {found}")

    def _stops(self, process: "Process") -> None:
        with self._timed(f"{process.name} until it has stopped"):
            code = process.stop()
        self._expect(code == 0, f"{process.name} ended with {code} after SIGTERM")

    def _manage(self, *arguments: str, **settings: str) -> str:
        done = self._inside("python", "manage.py", *arguments, **settings)
        if done.returncode:
            raise ImageError(f"manage.py {arguments[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def _inside(self, *command: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.image.command(*command),
            env={"PATH": os.environ["PATH"], **self.settings, **settings},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )

    def _start(self, name: str, *command: str, **settings: str) -> "Process":
        return self._stack.enter_context(self._running(name, *command, **settings))

    @contextmanager
    def _running(self, name: str, *command: str, **settings: str) -> Iterator["Process"]:
        log = self.stand.folder / f"image-{name}.log"
        with log.open("wb") as output:
            started = subprocess.Popen(
                self.image.command("python", *command),
                env={"PATH": os.environ["PATH"], **self.settings, **settings},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=ends_with_parent(signal.SIGKILL),
            )
        process = Process(name, started, log)
        try:
            yield process
        finally:
            process.kill()

    def _await(self, holds: Callable[[], object], process: "Process") -> None:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while True:
            with suppress(OSError):
                if holds():
                    return
            if process.has_ended or time.monotonic() > give_up:
                raise ImageError(f"{process.name} does not do what it should:\n{process.told}")
            time.sleep(0.05)

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        began_at = time.monotonic()
        yield
        self.seconds[what] = time.monotonic() - began_at

    def _expect(self, holds: object, fault: str) -> None:
        if not holds:
            self.faults.append(fault)


class Process:
    def __init__(self, name: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.name = name
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def told(self) -> str:
        return self._log.read_text(errors="replace")[-3000:]

    def stop(self) -> int | None:
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(STOP_SECONDS)
        return None

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


def read(url: str, headers: dict[str, str] | None = None, body: object = None) -> str:
    """Raises OSError."""
    content = None if body is None else json.dumps(body).encode()
    try:
        with build_opener(ProxyHandler({})).open(Request(url, content, headers or {}), timeout=30) as answer:
            return str(answer.read().decode(errors="replace"))
    except HTTPError as error:
        raise OSError(f"{url}: {error.code} {error.read()[:500]!r}") from None


def fetch(url: str, headers: dict[str, str] | None = None, body: object = None) -> Any:
    return json.loads(read(url, headers, body))
