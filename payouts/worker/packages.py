"""What stands for a task in the database: signed JSON that names a listed task and plain arguments, never a pickle.

q2 signs its queue's pickles and leaves those of its results unsigned, and it calls what a result's row names as its
hook. Whoever can write a row would run code in the cluster: with Django's SECRET_KEY by the queue, without it by a
result. `no_pickles` takes all three ways away from q2, in every process.

A task that is not so is refused: it is only a doorbell, and the sweep rings again.
"""

from datetime import datetime
from typing import Annotated, Any, Never

import django_q.signals
import django_q.signing
import msgspec
import picklefield.fields
import structlog
from django.core.signing import BadSignature
from django.db.models.signals import post_save
from django_q.models import Task

log = structlog.get_logger(__name__)

TASKS = frozenset(
    f"payouts.tasks.{name}"
    for name in (
        "pump",
        "sweep",
        "apply_report",
        "write_exports",
        "check_batch",
        "submit_batch",
        "count_days",
        "sample_minutes",
        "remind_of_approvals",
        "ask_for_balances",
        "reconcile_days",
        "reconcile_day",
        "ask_about_news",
        "ask_for_banks",
        "merge_sums",
        "prune",
        "forget_batches",
        "audit",
        "audit_checkpoints",
        "audit_recipient_keys",
        "checkpoint",
    )
)


class Package(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A task as it is queued: ids for arguments, or a cluster's name."""

    id: str
    name: str
    func: str
    started: datetime
    args: tuple[int | str, ...] = ()
    kwargs: Annotated[dict[str, str], msgspec.Meta(max_length=0)] = {}
    ack_failure: bool = False
    group: str | None = None
    cluster: str | None = None

    def __post_init__(self) -> None:
        if self.func not in TASKS:
            raise ValueError(f"{self.func} is no task that may be queued.")


class Packages:
    """In place of q2's serializer, which pickles."""

    @staticmethod
    def dumps(task: object) -> bytes:
        """A task as JSON. Raises TypeError for what may not be queued. What q2 tells of itself is left out."""
        if not isinstance(task, dict):
            return b"null"
        try:
            return msgspec.json.encode(msgspec.convert(task, Package))
        except msgspec.ValidationError as error:
            raise TypeError(str(error)) from error

    @staticmethod
    def loads(text: bytes) -> dict[str, Any]:
        """Raises BadSignature, upon which q2 drops the task."""
        try:
            return msgspec.structs.asdict(msgspec.json.decode(text, type=Package))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.error("queued_task_refused", reason=str(error))
            raise BadSignature("It is no task of ours.") from error


def no_pickles() -> None:
    """From now on q2 reads and writes JSON in its queue, unpickles nothing of its results, and calls no hook."""
    django_q.signing.PickleSerializer = Packages
    picklefield.fields.loads = _refuse
    post_save.disconnect(django_q.signals.call_hook, sender=Task)


def _refuse(_pickle: bytes) -> Never:
    """The field then gives the text as it stands."""
    raise ValueError("Pickles from the database are not loaded.")
