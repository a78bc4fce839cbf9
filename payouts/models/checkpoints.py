"""The signed checkpoints of all payouts' histories."""

from collections.abc import Iterator

from django.db import models
from django.utils.translation import gettext_lazy as _

from payouts import vault

# Each has a document that may be large.
READ_AT_ONCE = 10


class CheckpointQuerySet(models.QuerySet["Checkpoint"]):
    def in_turn(self, after_number: int = 0) -> Iterator["Checkpoint"]:
        """Those after that number in their order, a few in memory at a time, and no cursor open meanwhile."""
        while read := list(self.filter(number__gt=after_number).order_by("number")[:READ_AT_ONCE]):
            yield from read
            after_number = read[-1].number


class Checkpoint(models.Model):
    """What had happened to all payouts by one moment; payouts.checkpoints makes them, and says what is in each.

    A trigger refuses deletions. Kept outside too, it shows what somebody with the database's own rights has removed.
    """

    number = models.PositiveIntegerField(_("number"), unique=True)
    made_at = models.DateTimeField(_("made at"))
    from_event = models.BigIntegerField()  # its leaves are of the events after this one
    to_event = models.BigIntegerField()  # up to this one
    settled_event = models.BigIntegerField()  # its totals are of all events up to this one; the next goes on from it
    totals = models.JSONField(_("totals"), default=dict)
    versions = models.JSONField(default=dict)
    leaves = models.BinaryField()  # compressed: the last event of each payout that was touched
    root = models.CharField(_("root"), max_length=64)
    previous_root = models.CharField(max_length=64, blank=True)
    signature = models.BinaryField(max_length=vault.SEAL_BYTES)
    # Not sealed: it only says that this server has written it outside.
    placed_at = models.DateTimeField(_("written outside at"), null=True)

    objects = CheckpointQuerySet.as_manager()

    class Meta:
        verbose_name = _("checkpoint")
        verbose_name_plural = _("checkpoints")
        default_permissions = ()
        ordering = ["number"]

    def __str__(self) -> str:
        return f"{self.number}, {self.made_at:%Y-%m-%d %H:%M}"
