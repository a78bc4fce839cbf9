"""What there is to pay from: the balances that providers tell, and what was sent since."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payouts import money

# What Payout.waits_for says: the balance does not cover it, as the provider told it, or as its refusal did.
WAITS_FOR_FUNDS = "funds:"
WAITS_FOR_BALANCE = f"{WAITS_FOR_FUNDS}balance"
WAITS_AFTER_REFUSAL = f"{WAITS_FOR_FUNDS}refused"

# A balance that is older holds nothing back: the provider refuses what it does not cover, and that is no failure.
BALANCE_HOLDS = timedelta(minutes=15)


class AccountBalance(models.Model):
    """The last balance that the provider has told of an account in a currency. No row: it tells none."""

    account = models.CharField(_("account"), max_length=32)
    currency = models.CharField(_("currency"), max_length=3)
    amount = models.DecimalField(_("balance"))
    at = models.DateTimeField(_("asked at"))
    # What it may not have taken off yet: attempts that the provider had not accepted when asked, and later ones.
    committed = models.DecimalField(editable=False, default=0)

    class Meta:
        verbose_name = _("account balance")
        verbose_name_plural = _("account balances")
        default_permissions = ()
        ordering = ["account", "currency"]
        constraints = [
            models.UniqueConstraint(fields=["account", "currency"], name="account_balance_unique"),
            models.CheckConstraint(condition=Q(currency__regex="^[A-Z]{3}$"), name="account_balance_currency"),
            models.CheckConstraint(condition=Q(committed__gte=0), name="account_balance_committed"),
        ]

    def __str__(self) -> str:
        return f"{self.account}: {money.shown(self.amount, self.currency)}"

    def holds(self, now: datetime | None = None) -> bool:
        """Whether it is new enough to hold payouts back."""
        return (now or timezone.now()) - self.at < BALANCE_HOLDS
