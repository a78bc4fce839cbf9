"""What stands between the network and Django: a request enters once it is whole, and only if it may.

granian's loop runs it (RSGI). The head is looked at, and refused unread where it can be (first_look.py); the body
comes under a deadline (bodies.py), a file only from somebody who may upload it (uploads.py); then the request waits
for its caller's turn (turns.py) and for a thread, where the WSGI application answers it (threads.py). So whoever
sends slowly, or nothing, holds a connection and no more; whoever waits for a locked row, a quarter of the threads;
whoever calls themselves somebody else each time, half of them; all who try passwords, a quarter; and `/healthz/` is
answered on the loop, whatever the threads do.

`python -m backoffice.serve` starts it, everywhere.
"""

import asyncio
import time
from functools import partial

import structlog
from granian.rsgi import HTTPProtocol, Scope

from backoffice.door import first_look, refusals
from backoffice.door.bodies import Bodies
from backoffice.door.heads import caller_of, environ_of, login_page, network_of_caller, tries_a_password
from backoffice.door.refusals import RefusedError
from backoffice.door.threads import Application, Threads
from backoffice.door.turns import Turns
from backoffice.door.uploads import may_upload
from backoffice.web_figures import BEGAN_AT, REFUSED, Figures
from payouts import trace
from payouts.files.limits import FORM_BYTES

log = structlog.get_logger("request")

HEALTH = ("/healthz", "/healthz/")
WATCHED = [("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]


class Door:
    """An RSGI application around a WSGI application, with so many threads."""

    def __init__(self, application: Application, threads: int, figures: Figures | None = None) -> None:
        self._figures = figures
        self._threads = Threads(figures.counted(application) if figures else application, threads)
        self._callers, self._passwords = Turns(threads // 4), Turns(threads // 4)
        # A stranger can name a key or a session for each request, and is still in one place.
        self._networks = Turns(threads // 2)
        self._bodies = Bodies()
        login_page()  # before the loop runs, which waits for nothing

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._threads.start(loop)
        if self._figures:
            self._figures.watch(loop, self._threads)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._threads.stop()

    async def __rsgi__(self, scope: Scope, proto: HTTPProtocol) -> None:
        if scope.path in HEALTH and scope.method in ("GET", "HEAD"):
            trace_id = trace.taken_or_made(scope.headers.get("x-request-id"))
            proto.response_bytes(200, [*WATCHED, ("X-Request-ID", trace_id)], b'{"status": "ok"}')
            return
        began_at = time.perf_counter()
        try:
            await self._enter(scope, proto, began_at)
        except RefusedError as refusal:
            await self._refuse(refusal, scope, proto, began_at)

    async def _enter(self, scope: Scope, proto: HTTPProtocol, began_at: float) -> None:
        """Raises RefusedError."""
        length = first_look.look(scope)
        environ = environ_of(scope)
        environ[BEGAN_AT] = began_at
        network = network_of_caller(environ)
        # It begins when the caller has a turn, and the caller's network, and those who try a password.
        wanted = [(self._callers, caller_of(environ) or network), (self._networks, network)]
        if tries_a_password(environ):
            wanted.append((self._passwords, "everybody"))
        if length > FORM_BYTES and not await self._threads.run(partial(may_upload, environ), wanted):
            raise RefusedError(403, "upload")
        body = await self._bodies.read(proto, length, network) if length else b""
        await self._threads.answer(environ, body, proto, wanted)

    async def _refuse(self, refusal: RefusedError, scope: Scope, proto: HTTPProtocol, began_at: float) -> None:
        trace_id = trace.taken_or_made(scope.headers.get("x-request-id"))
        status, headers, content = refusals.answer(refusal, scope, trace_id)
        if refusal.is_heard_out:
            await self._bodies.pour_away(proto)
        if self._figures:
            self._figures.count(scope.method, REFUSED, status, time.perf_counter() - began_at)
        log.info(
            "request",
            method=scope.method,
            path=scope.path,
            status=status,
            duration_ms=round((time.perf_counter() - began_at) * 1000, 1),
            request_id=trace_id,
        )
        proto.response_bytes(status, headers, content)
