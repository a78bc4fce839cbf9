"""A web server's own figures, of all its processes as one: what was asked and answered, how quickly, and who waits.

They must be quick rather than kept: each process counts in a file that it maps (prometheus_client's multiprocess
mode), and one more process, forked before Django is there, adds the files up when it is asked. The figures that must
be right across servers are the exporter's (payouts/figures).
"""

import asyncio
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from payouts.figures import private_port

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# In a request's environ: when it came to the door, and the pattern of its address once that is known.
BEGAN_AT, ROUTE = "payouts.began_at", "payouts.route"
# In place of a route: what was refused at the door, what is under no route, and files.
REFUSED, NONE, STATIC = "(refused)", "(none)", "(static)"
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
WATCHED_SECONDS = 1.0


class Watched(Protocol):
    """How many threads answer, and how many requests wait for one."""

    @property
    def busy(self) -> int: ...
    @property
    def waiting(self) -> int: ...


class Figures:
    """Those of this process."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        mine = CollectorRegistry()
        labels = ["method", "route", "status"]
        self._requests = Counter("payouts_http_requests", "Requests that were answered", labels, registry=mine)
        self._seconds = Histogram(
            "payouts_http_seconds",
            "From a request's head until its answer",
            ["route"],
            buckets=BUCKETS,
            registry=mine,
        )
        self._waiting, self._busy = (
            Gauge(f"payouts_http_{name}", meaning, registry=mine, multiprocess_mode="livesum")
            for name, meaning in (
                ("waiting", "Requests that wait for a thread"),
                ("busy_threads", "Threads that answer a request"),
            )
        )

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        # Strangers make up methods, and each would be a figure of its own.
        self._requests.labels(method if method in METHODS else "other", route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def counted[Application: Callable[..., Iterable[bytes]]](self, application: Application) -> Application:
        """The same WSGI application, whose answers are counted."""

        def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            statuses: list[str] = []

            def start(status: str, *given: Any) -> Any:
                statuses.append(status)
                return start_response(status, *given)

            began_at = environ.get(BEGAN_AT) or time.perf_counter()
            try:
                return application(environ, start)
            finally:
                status = int(statuses[-1][:3]) if statuses else 500
                self.count(environ["REQUEST_METHOD"], _route(environ), status, time.perf_counter() - began_at)

        return answer  # type: ignore[return-value]

    def watch(self, loop: asyncio.AbstractEventLoop, threads: Watched) -> None:
        """Look at the threads every second, which costs a request nothing."""
        self._waiting.set(threads.waiting)
        self._busy.set(threads.busy)
        loop.call_later(WATCHED_SECONDS, self.watch, loop, threads)


def figures() -> Figures | None:
    """Those of this process; None where nobody serves them."""
    return Figures() if os.environ.get(FOLDER) else None


def serve(host: str, port: int) -> None:
    """Serve them from a process of its own, which ends after all that count. Raises OSError."""
    folder = tempfile.mkdtemp(prefix="payouts-web-figures-")
    os.environ[FOLDER] = folder
    server = private_port.server(host, port, lambda: (200, added_up(folder)))
    ours, theirs = os.pipe()
    if os.fork():
        os.close(ours)
        server.server_close()
        return
    # Here nobody writes: the pipe ends when the server and all its processes have.
    os.close(theirs)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.read(ours, 1)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def added_up(folder: str) -> bytes:
    """What the processes have counted, those that are gone too, as Prometheus reads it."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

    for file in Path(folder).glob("gauge_live*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not _is_alive(pid):
            mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _route(environ: dict[str, Any]) -> str:
    if route := environ.get(ROUTE):
        return str(route)
    return STATIC if str(environ.get("PATH_INFO", "")).startswith("/static/") else NONE


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
