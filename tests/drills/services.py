"""The services' own servers, killed and started again on the same port, data and password."""

import os
import signal
import subprocess
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg
import redis

from backoffice.local.servers import Server, ends_with_parent
from tests.bench.stand import Stand
from tests.drills.ground import until

STOP_SECONDS = 20


class Breakable:
    """A server of the stand. What is started here ends with the stand. Use it from the main thread."""

    def __init__(self, stand: Stand, name: str) -> None:
        self.url = stand.services.servers[name].url
        self._server: Server = stand.services.servers[name]
        self._process: subprocess.Popen[bytes] = self._server.process
        self._folder = os.readlink(f"/proc/{self._process.pid}/cwd")
        owner = os.stat(f"/proc/{self._process.pid}").st_uid
        self._account: dict[str, Any] = (
            {}
            if owner == os.geteuid()
            else {"user": owner, "group": os.stat(self._folder).st_gid, "extra_groups": []}
        )
        stand.stack.callback(self._end)

    def signal(self, number: int) -> None:
        """To all its processes."""
        root = psutil.Process(self._process.pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self._process.wait()

    def start(self) -> None:
        with self._server.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._server.process.args,
                cwd=self._folder,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                umask=0o077,
                start_new_session=True,
                preexec_fn=ends_with_parent(signal.SIGQUIT),
                **self._account,
            )
        assert self._process.stdin is not None
        with suppress(BrokenPipeError), self._process.stdin:
            self._process.stdin.write(self.configuration)

    @property
    def configuration(self) -> bytes:
        """What it reads from its standard input."""
        return b""

    def _end(self) -> None:
        if self._process is not self._server.process and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)


class Postgres(Breakable):
    def __init__(self, stand: Stand) -> None:
        super().__init__(stand, "postgres")

    def await_answer(self) -> float:
        """Seconds until it takes connections again."""

        def answers() -> bool:
            with suppress(psycopg.OperationalError):
                psycopg.connect(self.url).close()
                return True
            return False

        return until(answers, "PostgreSQL answers")


class Redis(Breakable):
    def __init__(self, stand: Stand) -> None:
        super().__init__(stand, "redis")
        self.client = redis.Redis.from_url(self.url)

    @property
    def configuration(self) -> bytes:
        parts = urlsplit(self.url)
        return f'bind 127.0.0.1\nport {parts.port}\nrequirepass {parts.password}\nsave ""\nappendonly no\n'.encode()
