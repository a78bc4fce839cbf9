"""Threads that answer whole requests with a WSGI application, each with its own connection to the database.

The thread that was busy last is given the next request, so that as few connections are open as there is work for. One
that has finished lets those begin that waited for it; the loop, whose wakes take Python's lock from a thread, hears a
little later of what was answered.
"""

import asyncio
import io
import os
import queue
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from threading import BoundedSemaphore, Lock, Thread
from typing import Any

import structlog
from django.db import connections
from granian.rsgi import HTTPProtocol

from backoffice.door.heads import Environ
from backoffice.door.refusals import Headers, RefusedError
from backoffice.door.turns import Turns

log = structlog.get_logger(__name__)

type Turn = tuple[Turns, str]
type Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

# A request that has no thread or not its turn waits so long, and so many of them at once.
WITHIN_SECONDS = 5.0
WAITING = 512
BUSY_RETRY_SECONDS = 5
TURN_RETRY_SECONDS = 1
# A thread without work closes its connection.
IDLE_SECONDS = 60
# How long the loop may be left in the belief that a request is under way which was answered.
HEARD_WITHIN_SECONDS = 0.05
# A download that is longer than this is sent while it is read, by a thread that waits for its reader.
WHOLE_BYTES = 4 * 1024**2
PART_WITHIN_SECONDS = 20


@dataclass(slots=True, eq=False)
class _Work:
    do: Callable[[], Any]
    turns: Sequence[Turn]
    done: asyncio.Future[Any]
    is_awaited: bool
    """Whether somebody needs the result at once."""
    ends_at: float = 0.0
    """When it has waited too long, in the loop's time."""

    def may_begin(self) -> bool:
        return all(turns.may_begin(name) for turns, name in self.turns)


class Threads:
    def __init__(self, application: Application, threads: int) -> None:
        self._application = application
        self._downloads = BoundedSemaphore(max(1, threads // 4))
        self._threads = [_Working(self) for _ in range(threads)]
        # What the loop and the threads change, under the lock.
        self._lock = Lock()
        self._idle = list(self._threads)
        self._waiting: deque[_Work] = deque()
        self._finished: list[tuple[_Work, Any, Exception | None]] = []
        # The loop's own.
        self._patience: asyncio.TimerHandle | None = None

    @property
    def busy(self) -> int:
        """Threads that answer a request now."""
        return len(self._threads) - len(self._idle)

    @property
    def waiting(self) -> int:
        """Requests that wait for a thread. While one is idle, they wait for their caller's turn instead."""
        return 0 if self._idle else len(self._waiting)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        for thread in self._threads:
            thread.inbox.put(None)

    async def answer(self, environ: Environ, body: bytes, proto: HTTPProtocol, turns: Sequence[Turn]) -> None:
        """Returns some time after the answer is given. Raises RefusedError: 429 and 503, when it waits too long."""
        environ["CONTENT_LENGTH"] = str(len(body))
        environ["wsgi.input"] = io.BytesIO(body)
        await self._put(_Work(partial(self._answer, environ, proto), turns, self._loop.create_future(), False))

    async def run[Result](self, do: Callable[[], Result], turns: Sequence[Turn]) -> Result:
        """What it returns or raises, in a thread. Raises RefusedError: 429 and 503, when it waits too long."""
        done: asyncio.Future[Result] = self._loop.create_future()
        await self._put(_Work(do, turns, done, True))
        return done.result()

    # On the loop

    def _put(self, work: _Work) -> asyncio.Future[Any]:
        with self._lock:
            if self._idle and work.may_begin():
                self._begin(work, self._idle.pop())
                return work.done
            self._wait(work)
        if self._patience is None:
            self._patience = self._loop.call_at(work.ends_at, self._end_waiting)
        return work.done

    def _wait(self, work: _Work) -> None:
        if not all(turns.may_wait(name) for turns, name in work.turns):
            raise RefusedError(429, "turn", retry_after=TURN_RETRY_SECONDS)
        if len(self._waiting) >= WAITING:
            raise RefusedError(503, "busy", retry_after=BUSY_RETRY_SECONDS)
        work.ends_at = self._loop.time() + WITHIN_SECONDS
        self._waiting.append(work)
        for turns, name in work.turns:
            turns.wait(name)

    def _end_waiting(self) -> None:
        """All wait equally long, so the first has waited longest, and one timer is enough for them."""
        now = self._loop.time()
        self._patience = None
        with self._lock:
            while self._waiting and self._waiting[0].ends_at <= now:
                work = self._waiting[0]
                self._leave(0)
                if not work.done.done():
                    work.done.set_exception(
                        RefusedError(503, "busy", retry_after=BUSY_RETRY_SECONDS)
                        if work.may_begin()
                        else RefusedError(429, "turn", retry_after=TURN_RETRY_SECONDS)
                    )
            if self._waiting:
                self._patience = self._loop.call_at(self._waiting[0].ends_at, self._end_waiting)

    def _hear(self) -> None:
        with self._lock:
            finished, self._finished = self._finished, []
        for work, result, error in finished:
            if not work.done.done():
                work.done.set_exception(error) if error else work.done.set_result(result)

    # Under the lock

    def _begin(self, work: _Work, thread: "_Working") -> None:
        for turns, name in work.turns:
            turns.begin(name)
        thread.inbox.put(work)

    def _begin_waiting(self) -> None:
        """All whose turn it is now, the first first: what has ended may have been in the way of several."""
        place = 0
        while self._idle and place < len(self._waiting):
            work = self._waiting[place]
            if work.may_begin() and not work.done.cancelled():
                self._leave(place)
                self._begin(work, self._idle.pop())
            else:
                place += 1

    def _leave(self, place: int) -> None:
        for turns, name in self._waiting[place].turns:
            turns.leave(name)
        del self._waiting[place]

    # In a thread

    def finished(self, thread: "_Working", work: _Work, result: Any, error: Exception | None) -> None:
        """Gives those who wait what is free now; the thread itself takes its own from its inbox."""
        with self._lock:
            for turns, name in work.turns:
                turns.end(name)
            is_first = not self._finished
            self._finished.append((work, result, error))
            self._idle.append(thread)
            self._begin_waiting()
        if work.is_awaited:
            self._loop.call_soon_threadsafe(self._hear)
        elif is_first:
            self._loop.call_soon_threadsafe(self._loop.call_later, HEARD_WITHIN_SECONDS, self._hear)

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
            proto.response_bytes(503, [("Retry-After", str(BUSY_RETRY_SECONDS))], b"")
            return
        try:
            transport = proto.response_stream(status, headers)
            for part in chain([bytes(whole)], parts):
                asyncio.run_coroutine_threadsafe(_sent(transport, part), self._loop).result()
        finally:
            self._downloads.release()


class _Working(Thread):
    def __init__(self, threads: Threads) -> None:
        super().__init__(name="request", daemon=True)
        self.inbox: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._threads = threads

    def run(self) -> None:
        while work := self._given():
            result, error = None, None
            try:
                result = work.do()
            except Exception as raised:
                error = raised
            self._threads.finished(self, work, result, error)

    def _given(self) -> _Work | None:
        try:
            return self.inbox.get(timeout=IDLE_SECONDS)
        except queue.Empty:
            connections.close_all()
            return self.inbox.get()


async def _sent(transport: Any, part: bytes) -> None:
    """Raises TimeoutError when the reader takes nothing for too long."""
    async with asyncio.timeout(PART_WITHIN_SECONDS):
        await transport.send_bytes(part)
