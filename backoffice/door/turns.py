"""How many requests one caller has under way and waiting, so that the others have threads whatever it waits for."""

from collections import Counter

# What more comes from the same caller waits for its turn, without a thread.
WAITING = 64


class Turns:
    """Of each name, at most so many requests are under way. Used under the lock of the threads."""

    def __init__(self, most: int) -> None:
        self._most = max(1, most)
        self._under_way: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()

    def may_begin(self, name: str) -> bool:
        return self._under_way[name] < self._most

    def begin(self, name: str) -> None:
        _count(self._under_way, name, 1)

    def end(self, name: str) -> None:
        _count(self._under_way, name, -1)

    def may_wait(self, name: str) -> bool:
        return self._waiting[name] < WAITING

    def wait(self, name: str) -> None:
        _count(self._waiting, name, 1)

    def leave(self, name: str) -> None:
        """Wait no longer."""
        _count(self._waiting, name, -1)


def _count(counted: Counter[str], name: str, change: int) -> None:
    """Names of which there is nothing are forgotten: strangers make up many."""
    counted[name] += change
    if not counted[name]:
        del counted[name]
