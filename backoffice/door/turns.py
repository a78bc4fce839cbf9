"""Lets one caller have so many requests under way at once, so that the others have threads whatever it waits for."""

import asyncio
from collections import deque
from types import TracebackType

from backoffice.door.refusals import RefusedError

# What more comes from the same caller waits for its turn, without a thread.
WAITING = 64
WITHIN_SECONDS = 5.0
RETRY_AFTER_SECONDS = 1


class Turns:
    """At most so many requests of each name are under way."""

    def __init__(self, most: int) -> None:
        self._most = max(1, most)
        self._under_way: dict[str, int] = {}
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    def of(self, caller: str) -> "_Turn":
        return _Turn(self, caller)

    async def take(self, caller: str) -> None:
        """Raises RefusedError (429) when the turn does not come in time, or too many wait already."""
        under_way = self._under_way.get(caller, 0)
        if under_way < self._most:
            self._under_way[caller] = under_way + 1
            return
        waiting = self._waiting.setdefault(caller, deque())
        if len(waiting) >= WAITING:
            raise RefusedError(429, "turn", retry_after=RETRY_AFTER_SECONDS)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.give_back(caller)
            elif turn in waiting:
                waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise RefusedError(429, "turn", retry_after=RETRY_AFTER_SECONDS) from None
            raise

    def give_back(self, caller: str) -> None:
        waiting = self._waiting.get(caller)
        while waiting:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._waiting.pop(caller, None)
        if self._under_way[caller] > 1:
            self._under_way[caller] -= 1
        else:
            del self._under_way[caller]


class _Turn:
    def __init__(self, turns: Turns, caller: str) -> None:
        self._turns, self._caller = turns, caller

    async def __aenter__(self) -> None:
        await self._turns.take(self._caller)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._turns.give_back(self._caller)
