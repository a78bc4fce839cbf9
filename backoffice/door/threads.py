"""Threads that answer whole requests with a WSGI application, each with its own connection to the database.

The thread that was busy last is given the next request, so that as few connections are open as there is work for.
"""

import asyncio
import io
import os
import queue
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import chain
from threading import BoundedSemaphore, Thread
from typing import Any

import structlog
from django.db import connections
from granian.rsgi import HTTPProtocol

from backoffice.door.heads import Environ
from backoffice.door.refusals import Headers, RefusedError

log = structlog.get_logger(__name__)

type Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
type _Work = tuple[Callable[[], Any], asyncio.Future[Any]]

# Requests that no thread is free for wait so long, and so many of them.
WITHIN_SECONDS = 5.0
WAITING = 512
RETRY_AFTER_SECONDS = 5
# A thread without work closes its connection.
IDLE_SECONDS = 60
# A download that is longer than this is sent while it is read, by a thread that waits for its reader.
WHOLE_BYTES = 4 * 1024**2
PART_WITHIN_SECONDS = 20


class Threads:
    def __init__(self, application: Application, count: int) -> None:
        self._application = application
        self._downloads = BoundedSemaphore(max(1, count // 4))
        self._threads = [_Working(self) for _ in range(count)]
        self._idle = list(self._threads)
        self._waiting: deque[asyncio.Future[_Working]] = deque()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        for thread in self._threads:
            thread.inbox.put(None)

    async def answer(self, environ: Environ, body: bytes, proto: HTTPProtocol) -> None:
        """Returns once the answer is given. Raises RefusedError (503) when no thread is free in time."""
        environ["CONTENT_LENGTH"] = str(len(body))
        environ["wsgi.input"] = io.BytesIO(body)
        await self.run(partial(self._answer, environ, proto))

    async def run[Result](self, work: Callable[[], Result]) -> Result:
        """What it returns or raises, in a thread. Raises RefusedError (503) when none is free in time."""
        thread = self._idle.pop() if self._idle else await self._next_free()
        done: asyncio.Future[Result] = self.loop.create_future()
        thread.inbox.put((work, done))
        return await done

    def finished(self, thread: "_Working", done: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
        """Called on the loop."""
        if not done.done():
            done.set_exception(error) if error else done.set_result(result)
        self._free(thread)

    async def _next_free(self) -> "_Working":
        if len(self._waiting) >= WAITING:
            raise RefusedError(503, "busy", retry_after=RETRY_AFTER_SECONDS)
        freed: asyncio.Future[_Working] = self.loop.create_future()
        self._waiting.append(freed)
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                return await freed
        except BaseException as error:
            if freed.done() and not freed.cancelled():
                self._free(freed.result())
            if isinstance(error, TimeoutError):
                raise RefusedError(503, "busy", retry_after=RETRY_AFTER_SECONDS) from None
            raise

    def _free(self, thread: "_Working") -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(thread)
                return
        self._idle.append(thread)

    def _answer(self, environ: Environ, proto: HTTPProtocol) -> None:
        """In a thread, which sends the answer itself: the loop need not wake up for it."""
        head: list[Any] = []
        try:
            response = self._application(environ, lambda status, headers, _=None: head.extend((status, headers)))
            try:
                status, headers = int(head[0][:3]), head[1]
                file = getattr(response, "file_to_stream", None)
                if isinstance(file, io.BufferedReader):
                    # Read by granian as its reader takes it: many who ask and read nothing cost no memory.
                    proto.response_file(status, headers, os.path.abspath(file.name))
                elif getattr(response, "streaming", False):
                    self._send(proto, status, headers, iter(response))
                else:
                    proto.response_bytes(status, headers, b"".join(response))
            finally:
                if hasattr(response, "close"):
                    response.close()
        except BaseException:  # SystemExit too: it would cost the thread, and its caller's turn
            log.exception("request_not_answered")
            with suppress(Exception):  # the answer may have begun
                proto.response_bytes(500, [], b"")

    def _send(self, proto: HTTPProtocol, status: int, headers: Headers, parts: Iterator[bytes]) -> None:
        """A download: whole, or in parts where its length is said, so that one broken off does not pass for whole."""
        has_length = any(name.lower() == "content-length" for name, _ in headers)
        whole = bytearray()
        for part in parts:
            whole += part
            if has_length and len(whole) > WHOLE_BYTES:
                break
        else:
            proto.response_bytes(status, headers, bytes(whole))
            return
        if not self._downloads.acquire(blocking=False):
            proto.response_bytes(503, [("Retry-After", str(RETRY_AFTER_SECONDS))], b"")
            return
        try:
            transport = proto.response_stream(status, headers)
            for part in chain([bytes(whole)], parts):
                asyncio.run_coroutine_threadsafe(_sent(transport, part), self.loop).result()
        finally:
            self._downloads.release()


class _Working(Thread):
    def __init__(self, threads: Threads) -> None:
        super().__init__(name="request", daemon=True)
        self.inbox: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._threads = threads

    def run(self) -> None:
        while (given := self._next()) is not None:
            work, done = given
            result, error = None, None
            try:
                result = work()
            except Exception as raised:
                error = raised
            self._threads.loop.call_soon_threadsafe(self._threads.finished, self, done, result, error)

    def _next(self) -> _Work | None:
        try:
            return self.inbox.get(timeout=IDLE_SECONDS)
        except queue.Empty:
            connections.close_all()
            return self.inbox.get()


async def _sent(transport: Any, part: bytes) -> None:
    """Raises TimeoutError when the reader takes nothing for too long."""
    async with asyncio.timeout(PART_WITHIN_SECONDS):
        await transport.send_bytes(part)
