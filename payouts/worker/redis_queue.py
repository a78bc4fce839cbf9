"""The queue in Redis, or what speaks like it, from version 6.2 on: a list for each queue, a set of what was taken.

A task that was taken and not acknowledged is free again after `retry` seconds, by Redis' clock, as in the database.
q2's own broker forgets it. A script takes, so that a task is always in one of the two.
"""

from contextlib import suppress
from functools import cache
from time import sleep
from typing import Any

import redis
from django.conf import settings
from django_q.conf import Conf
from redis.backoff import NoBackoff
from redis.retry import Retry

from payouts.jobs import FILES
from payouts.worker import broker
from payouts.worker.broker import Outside, Taken

# A request does not wait for long to ring.
SEND_SECONDS = 0.5
WAIT_SECONDS = 1
# First what was taken and not acknowledged in time is put back. KEYS: the set, then the queues; ARGV: `retry`.
TAKE = """
local now = tonumber(redis.call('TIME')[1])
for _, late in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 100)) do
    local queue, task = string.match(late, '^(%S+) (.*)$')
    redis.call('ZREM', KEYS[1], late)
    redis.call('RPUSH', queue, task)
end
for number = 2, #KEYS do
    local task = redis.call('LPOP', KEYS[number])
    if task then
        redis.call('ZADD', KEYS[1], now + tonumber(ARGV[1]), KEYS[number] .. ' ' .. task)
        return {number - 2, task}
    end
end
return false
"""


class RedisQueue(Outside):
    AWAY = (redis.RedisError,)

    def send(self, task: str) -> None:
        _client(SEND_SECONDS).rpush(_key(self.list_key), task)

    def take(self, queues: list[str]) -> tuple[Taken, str] | None:
        keys = [_key("taken"), *map(_key, queues)]
        found: Any = _client().eval(TAKE, len(keys), *keys, str(Conf.RETRY))
        if not found:
            return None
        number, task = found
        # What is no text is no task of ours: q2 finds no signature, and has it removed by what it is in Redis.
        text = task.encode(errors="replace").decode()
        return Taken(queues[number], f"{_key(queues[number])} {task}".encode(errors="surrogateescape")), text

    def remove(self, taken: Taken) -> None:
        _client().zrem(_key("taken"), taken.handle)

    def wait(self, queues: list[str]) -> None:
        """Redis tells of a task in the shared queue only; the others are looked at once a second."""
        if broker.progress and broker.progress.is_idle and self.list_key in queues:
            # From the head to the head: it waits for a task, and leaves it where it is.
            _client().blmove(_key(self.list_key), _key(self.list_key), WAIT_SECONDS, "LEFT", "LEFT")
        elif broker.progress:
            broker.progress.wait(Conf.POLL)
        else:
            sleep(Conf.POLL)

    def reset(self) -> None:
        """It may have become another's replica, which refuses to write: connect anew."""
        with suppress(redis.RedisError):
            for client in (_client(), _client(SEND_SECONDS)):
                client.connection_pool.disconnect()

    def queue_size(self) -> int:
        size: Any = _client(SEND_SECONDS).llen(_key(self.list_key))
        return int(size)

    def lock_size(self) -> int:
        """Of both queues together, for the shared one."""
        size: Any = 0 if self.list_key == FILES else _client(SEND_SECONDS).zcard(_key("taken"))
        return int(size)


def _key(name: str) -> str:
    """Installations may share a Redis. In a Redis cluster all of them are in one place, as scripts need it."""
    return f"{{{'-'.join(settings.INSTALLATION.split())}}}:queue:{name}"


@cache
def _client(timeout_seconds: float = WAIT_SECONDS + 4.0) -> "redis.Redis":
    """Of this process: after a fork it connects anew."""
    if not settings.Q_REDIS_URL:
        raise redis.ConnectionError("Neither Q_REDIS_URL nor REDIS_URL says where it is.")
    return redis.Redis.from_url(
        settings.Q_REDIS_URL,
        decode_responses=True,
        encoding_errors="surrogateescape",
        socket_connect_timeout=SEND_SECONDS,
        socket_timeout=timeout_seconds,
        # Once, because the server may have closed an idle connection. By default it goes on for ten seconds and more.
        retry=Retry(NoBackoff(), 1),
    )
