"""What tells a process that its keys are those that the database was written with."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class KeyMark(models.Model):
    """A known text under one key that processes of ours write with: who cannot verify each of them has other keys.

    payouts.actions.keys writes them, at the first start and when a key is first used; a rotation that has come to its
    end takes those of the old keys away.
    """

    setting = models.CharField(max_length=32)
    key_id = models.CharField(max_length=8)
    text = models.CharField(max_length=300)
    made_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("mark of a key")
        verbose_name_plural = _("marks of keys")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["setting", "key_id"], name="key_mark_once")]

    def __str__(self) -> str:
        return f"{self.setting}: {self.key_id}"
