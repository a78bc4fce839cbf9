"""The queue in Amazon's SQS, or what speaks like it. boto3 finds region, keys and another endpoint as it always does
(AWS_REGION, AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL_SQS or the machine's role).

A task that was taken and not acknowledged is free again after `retry` seconds. The two queues are made where they are
missing and we may make them. q2's own broker asks for its queue's address each time that something rings.
"""

import os
import re
from functools import cache
from time import sleep
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
from django.conf import settings
from django_q.conf import Conf

from payouts.jobs import FILES
from payouts.worker import broker
from payouts.worker.broker import Outside, Taken

CONNECT_SECONDS = 1
# While the shared queue is waited for nothing else is looked at, and a drain waits too.
WAIT_SECONDS = 2
# Each look is paid for.
BUSY_WAIT_SECONDS = 0.5
# A request does not wait for long to ring.
SEND_SECONDS = 2
READ_SECONDS = WAIT_SECONDS + 4
LONGEST_NAME = 80


class SqsQueue(Outside):
    AWAY = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError)

    def send(self, task: str) -> None:
        _client(os.getpid(), SEND_SECONDS).send_message(QueueUrl=_address(self.list_key), MessageBody=task)

    def take(self, queues: list[str]) -> tuple[Taken, str] | None:
        """Files first, which are only looked at: a task of theirs has a worker of its own."""
        for queue in sorted(queues, key=lambda name: name != FILES):
            answer = _client(os.getpid(), READ_SECONDS).receive_message(
                QueueUrl=_address(queue),
                MaxNumberOfMessages=1,
                VisibilityTimeout=Conf.RETRY,
                WaitTimeSeconds=WAIT_SECONDS if self._may_wait and queue != FILES else 0,
            )
            for message in answer.get("Messages", []):
                return Taken(queue, message["ReceiptHandle"]), message["Body"]
        return None

    @property
    def _may_wait(self) -> bool:
        """Whether nothing is under way: the task that is waited for is counted as taken already."""
        return broker.progress is not None and broker.progress.is_alone

    def remove(self, taken: Taken) -> None:
        _client(os.getpid(), READ_SECONDS).delete_message(QueueUrl=_address(taken.queue), ReceiptHandle=taken.handle)

    def wait(self, queues: list[str]) -> None:
        """An idle cluster has waited as it asked."""
        if broker.progress and not broker.progress.is_idle:
            broker.progress.wait(BUSY_WAIT_SECONDS)
        elif broker.progress is None:
            sleep(Conf.POLL)

    def reset(self) -> None:
        """A queue may have been removed: find it, or make it, anew."""
        _address.cache_clear()

    def queue_size(self) -> int:
        return self._count("ApproximateNumberOfMessages")

    def lock_size(self) -> int:
        return self._count("ApproximateNumberOfMessagesNotVisible")

    def _count(self, name: str) -> int:
        answer = _client(os.getpid(), SEND_SECONDS).get_queue_attributes(
            QueueUrl=_address(self.list_key), AttributeNames=[name]
        )
        return int(answer["Attributes"][name])


def queue_name(name: str) -> str:
    """Installations may share an account. A name there has letters, digits, hyphens and underscores."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", f"{settings.INSTALLATION}-{name}")[:LONGEST_NAME]


@cache
def _address(name: str) -> str:
    client = _client(os.getpid(), SEND_SECONDS)
    try:
        answer = client.get_queue_url(QueueName=queue_name(name))
    except client.exceptions.QueueDoesNotExist:
        answer = client.create_queue(QueueName=queue_name(name))
    return str(answer["QueueUrl"])


@cache
def _client(_process: int, read_seconds: int) -> Any:
    """A process's own: what was connected before a fork must not be used on both sides of it."""
    return boto3.session.Session().client(
        "sqs",
        config=botocore.config.Config(
            connect_timeout=CONNECT_SECONDS, read_timeout=read_seconds, retries={"total_max_attempts": 2}
        ),
    )
