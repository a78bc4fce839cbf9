"""What shows that people's accounts and groups' permissions are those that the back office stored."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from payouts import vault


class AuthoritySeal(models.Model):
    """The seal of one person or one group of Django's; payouts.staff.authority says over what, and writes it."""

    class Kind(models.TextChoices):
        PERSON = "person", _("person")
        GROUP = "group", _("group")

    kind = models.CharField(max_length=8, choices=Kind)
    object_id = models.BigIntegerField()
    version = models.PositiveIntegerField(default=1)  # counts up, so that an old row put back is told from the last
    seal = models.BinaryField(max_length=vault.SEAL_BYTES)
    sealed_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("seal of a person or group")
        verbose_name_plural = _("seals of people and groups")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["kind", "object_id"], name="authority_seal_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}"
