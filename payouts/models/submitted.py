"""What was submitted, added up by the hour."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class SubmittedSum(models.Model):
    """A part of what was submitted in one hour, in a currency or in it to one recipient; the parts together are all.

    Several parts, so that submissions at the same time need not wait for each other (payouts/actions/submitted.py).
    Only for a currency with a limit. A part may be negative: what was cancelled later is taken off its own hour.
    """

    class Kind(models.TextChoices):
        CURRENCY = "currency", _("currency")
        RECIPIENT = "recipient", _("recipient")

    kind = models.CharField(max_length=16, choices=Kind)
    key = models.BinaryField(max_length=32)  # the recipient's index; empty for the currency
    currency = models.CharField(max_length=3)
    hour = models.DateTimeField(help_text=_("Its beginning, in UTC."))
    count = models.IntegerField()
    amount = models.DecimalField()

    class Meta:
        verbose_name = _("sum of what was submitted")
        verbose_name_plural = _("sums of what was submitted")
        default_permissions = ()
        # Not the amount: a part is changed in place, and costs no index anything.
        indexes = [models.Index(fields=["kind", "key", "currency", "hour"], name="submitted_sum_of_hour")]

    def __str__(self) -> str:
        return f"{self.kind} {self.currency} {self.hour}"
