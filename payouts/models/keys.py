"""What tells a process that its keys are those that the database was written with."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class KeyMark(models.Model):
    """A known text under one key that processes of ours write with: who cannot verify each of them has other keys.

    payouts.actions.keys writes them, at the first start and when a key is first used; a rotation that has come to its
    end retires those of the old keys.
    """

    setting = models.CharField(max_length=32)
    key_id = models.CharField(max_length=8)
    text = models.CharField(max_length=300)
    made_at = models.DateTimeField(db_default=Now())
    retired_at = models.DateTimeField(null=True)  # nothing is under the key any more: no process may write with it

    class Meta:
        verbose_name = _("mark of a key")
        verbose_name_plural = _("marks of keys")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["setting", "key_id"], name="key_mark_once")]

    def __str__(self) -> str:
        return f"{self.setting}: {self.key_id}"


class KeyRotation(models.Model):
    """A run of `manage.py rotate_keys`: which keys everything is put under, and how far it has come."""

    field_key = models.CharField(max_length=8)
    seal_key = models.CharField(max_length=8)
    last_payout_id = models.BigIntegerField(default=0)
    last_batch_id = models.BigIntegerField(default=0)
    last_key_id = models.BigIntegerField(default=0, db_default=0)  # of recipients' keys
    payouts_renewed = models.PositiveIntegerField(default=0)
    batches_renewed = models.PositiveIntegerField(default=0)
    keys_renewed = models.PositiveIntegerField(default=0, db_default=0)
    unfit_payouts = ArrayField(models.BigIntegerField(), default=list)  # do not fit any key: left as they are
    unfit_batches = ArrayField(models.BigIntegerField(), default=list)
    unfit_keys = ArrayField(models.BigIntegerField(), default=list, db_default=[])
    begun_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("rotation of keys")
        verbose_name_plural = _("rotations of keys")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.field_key}, {self.seal_key}"
