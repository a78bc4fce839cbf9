"""Redis as a cache that nobody has to trust: its values are JSON, and one that is not counts as absent.

The library's own values are pickles, and whoever can write to Redis could run code by one. A value that cannot be
read counts like a Redis that is away, which IGNORE_EXCEPTIONS logs and answers as a miss.
"""

from typing import Any

from django_redis.client import DefaultClient
from django_redis.exceptions import ConnectionInterrupted


class JsonClient(DefaultClient):  # type: ignore[misc]  # django-redis has no types
    def decode(self, value: Any) -> Any:
        """The value that `encode` made of it. Raises ConnectionInterrupted for any other."""
        try:
            return super().decode(value)
        except (ValueError, RecursionError) as error:
            raise ConnectionInterrupted(connection=None) from error

    def _incr(self, *given: Any, **named: Any) -> Any:
        try:
            return super()._incr(*given, **named)
        except TypeError as error:  # a number is added to a list, say
            raise ConnectionInterrupted(connection=None) from error
