"""Running totals for monitoring: what the exporter has counted of rows that only come, and how far it has come."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _


class FigureTotal(models.Model):
    """One total: its name, its labels' values in their order, and what was counted so far."""

    name = models.CharField(_("name"), max_length=32)
    labels = ArrayField(models.CharField(max_length=64))
    value = models.FloatField(_("value"))

    class Meta:
        verbose_name = _("running total")
        verbose_name_plural = _("running totals")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["name", "labels"], name="figure_total_once")]

    def __str__(self) -> str:
        return f"{self.name} {self.labels}"


class FigureSource(models.Model):
    """How far the rows of one table are in the totals (payouts/figures/totals.py), or minutes in their samples."""

    name = models.CharField(_("name"), max_length=32, primary_key=True)
    counted_to = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _("source of running totals")
        verbose_name_plural = _("sources of running totals")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name} {self.counted_to}"
