"""Reads bodies: within a deadline, counted while they come, and no more of them at once than memory allows."""

import asyncio
from collections import Counter
from contextlib import suppress

from granian.rsgi import HTTPProtocol, ProtocolClosed

from backoffice.door.refusals import RefusedError

# And a second more for each so many bytes.
WITHIN_SECONDS = 10.0
LEAST_BYTES_A_SECOND = 64 * 1024
# One that is no longer is taken in one go: as many connections as there are files may hold so much each.
SMALL_BYTES = 16 * 1024
# All longer ones together, of one process; and those of one network, which leaves the others theirs.
HELD_BYTES = 96 * 1024**2
HELD_OF_ONE_BYTES = HELD_BYTES // 4
RETRY_AFTER_SECONDS = 5
POURED_WITHIN_SECONDS = 2.0


class Bodies:
    def __init__(self) -> None:
        self._held = 0
        self._held_of: Counter[str] = Counter()

    async def read(self, proto: HTTPProtocol, length: int, network: str) -> bytes:
        """The whole body. Raises RefusedError: 408, 400 for one broken off, 429 and 503 while memory is short."""
        try:
            async with asyncio.timeout(WITHIN_SECONDS + length / LEAST_BYTES_A_SECOND):
                body = await proto() if length <= SMALL_BYTES else await self._counted(proto, network)
        except TimeoutError:
            raise RefusedError(408, "slow") from None
        except ProtocolClosed:
            raise RefusedError(400, "short") from None
        if len(body) != length:
            raise RefusedError(400, "short")
        return body

    async def pour_away(self, proto: HTTPProtocol) -> None:
        """Reads what still comes, for a moment."""
        with suppress(TimeoutError, ProtocolClosed):
            async with asyncio.timeout(POURED_WITHIN_SECONDS):
                async for _ in proto:
                    pass

    async def _counted(self, proto: HTTPProtocol, network: str) -> bytes:
        parts, count = [], 0
        try:
            async for part in proto:
                count += len(part)
                self._held += len(part)
                self._held_of[network] += len(part)
                if self._held_of[network] > HELD_OF_ONE_BYTES:
                    raise RefusedError(429, "turn", retry_after=RETRY_AFTER_SECONDS)
                if self._held > HELD_BYTES:
                    raise RefusedError(503, "busy", retry_after=RETRY_AFTER_SECONDS)
                parts.append(part)
            return b"".join(parts)
        finally:
            self._held -= count
            self._held_of[network] -= count
            if not self._held_of[network]:
                del self._held_of[network]
