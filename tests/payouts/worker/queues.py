"""Each broker under the tests: the database's, Redis of the run, and SQS as moto plays it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import redis
from django_q.conf import Conf
from django_q.signing import SignedPackage
from moto import mock_aws

from payouts.worker import redis_queue, sqs_queue


@contextmanager
def use_broker(kind: str, settings: Any, monkeypatch: pytest.MonkeyPatch, *, is_away: bool = False) -> Iterator[None]:
    """Rings go to this broker, whose queues are empty, or which is not there."""
    settings.Q_BROKER = kind
    settings.Q_REDIS_URL = "redis://127.0.0.1:9/0" if is_away else settings.CACHES["default"]["LOCATION"]
    monkeypatch.setattr(Conf, "BROKER_CLASS", settings.Q_QUEUES[kind])
    monkeypatch.setattr(redis_queue, "SEND_SECONDS", 20.0)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-central-1",
        **({"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:9"} if is_away else {}),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sqs_queue, "WAIT_SECONDS", 0)
    monkeypatch.setattr(sqs_queue, "BUSY_WAIT_SECONDS", 0.05)
    _forget_clients()
    with ExitStack() as stack:
        if kind == "sqs" and not is_away:
            stack.enter_context(mock_aws())
        yield
        if kind == "redis" and not is_away:
            connection = redis.Redis.from_url(settings.Q_REDIS_URL)
            connection.delete(*connection.keys(redis_queue._key("*")), "none")
            connection.close()
    _forget_clients()


def _forget_clients() -> None:
    for each in (redis_queue._client, sqs_queue._client, sqs_queue._address):
        each.cache_clear()


def answered(payload: str) -> dict[str, Any]:
    """The task that is queued as this text."""
    task: dict[str, Any] = SignedPackage.loads(payload)
    return task
