"""How many requests one caller has under way and waiting, so that the others have threads whatever it waits for."""

from collections import Counter

# What more comes from the same caller waits for its turn, without a thread.
WAITING = 64


class Turns:
    """Of each name, at most so many requests are under way. Used under the lock of the threads."""

    def __init__(self, most: int) -> None:
        self._most = max(1, most)
        self.under_way: Counter[str] = Counter()
        self.waiting: Counter[str] = Counter()

    def is_free(self, name: str) -> bool:
        return self.under_way[name] < self._most

    def may_wait(self, name: str) -> bool:
        return self.waiting[name] < WAITING


type Turn = tuple[Turns, str]
"""Of one name."""


def count(counted: Counter[str], name: str, change: int) -> None:
    """And forgets the names of nothing: strangers make up many."""
    counted[name] += change
    if not counted[name]:
        del counted[name]
