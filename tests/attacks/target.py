"""What is attacked: the web server as production runs it, on services of its own, with the rows that matter."""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.attacks.tally import Tally
from tests.attacks.wire import Heard, exchange
from tests.bench.stand import Program, Stand, stand

_addresses = itertools.count(1)


def an_address() -> str:
    """Of a caller who has not called before."""
    return f"2001:db8::{next(_addresses):x}"


@dataclass(frozen=True)
class Target:
    stand: Stand
    program: Program
    port: int
    victim: str
    """The key of the client whose payouts these are."""
    keys: dict[str, str]
    """Of another client, by what they may do."""
    dead_keys: dict[str, str]
    payouts: dict[str, int]
    """The victim's, by the state that they are in."""
    sessions: dict[str, str]
    cookie: str
    addresses: list[str]

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Heard:
        """One well-formed request over a connection of its own, as from a proxy that ended TLS."""
        given = {"Host": self.host, "X-Forwarded-Proto": "https", "Connection": "close"}
        given["X-Forwarded-For"] = an_address()
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            given["Content-Length"] = str(len(body))
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        return exchange(self.port, f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + (body or b""))

    def still_answers(self, tally: Tally, after: str) -> None:
        """Health and another client's list are answered, whatever was sent before."""
        for path, key in (("/healthz/", ""), ("/api/payouts/?user_id=123", self.victim)):
            heard = self.call("GET", path, **({"Authorization": f"Bearer {key}"} if key else {}))
            tally.count(f"{path} after {after}", heard.status, hung=heard.hung, is_right=heard.status == 200)


@contextmanager
def target() -> Iterator[Target]:
    """Call it from the main thread."""
    with stand() as here:
        here.settings |= {"WEB_CONCURRENCY": "2", "SECOND_FACTOR": "on"}
        here.migrate()
        here.manage("collectstatic", "--noinput", "--verbosity", "0")
        with here.running("rows", "-m", "tests.attacks.rows") as program:
            made: dict[str, Any] = json.loads(program.ask())
        with here.web(application="backoffice.wsgi:application") as (web, port):
            yield Target(
                here,
                web,
                port,
                victim=made["victim"],
                keys=made["keys"],
                dead_keys=made["dead keys"],
                payouts=made["payouts"],
                sessions=made["sessions"],
                cookie=made["cookie"],
                addresses=made["addresses"],
            )
