"""The last line before money: how much, and how many payouts, the worker sends in a minute, an hour and a day."""

from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from payouts import money
from payouts.models.configuration import check_currency
from payouts.models.history import History
from payouts.models.sealed_sets import SealedRow

# What Payout.waits_for says: a limit, with its scope and window after the colon.
WAITS_FOR_LIMIT = "velocity:"
# None of many payouts could be claimed, so the fault is ours.
WAITS_FOR_US = "claim"
# SQL has changed the limits: nothing is sent by them.
WAITS_FOR_CONFIGURATION = "configuration"
# The settings do not name the account that is to pay.
WAITS_FOR_ACCOUNT = "account"
# The subject of a proposal that lets a payout go over the limits.
LET_GO = "let_go"


class VelocityScope(models.TextChoices):
    """What a limit counts together."""

    ALL = "all", _("all payouts")
    PROVIDER = "provider", _("each provider")
    CLIENT = "client", _("each client")
    RECIPIENT = "recipient", _("each recipient")


class VelocityWindow(models.TextChoices):
    """The time over which a limit counts, up to now: no window ends at midnight."""

    MINUTE = "minute", _("a minute")
    HOUR = "hour", _("an hour")
    DAY = "day", _("a day")

    @property
    def length(self) -> timedelta:
        return WINDOW_LENGTHS[self.value]

    @property
    def bucket(self) -> timedelta:
        """How finely use is kept: what was sent counts for up to one bucket longer than the window, never shorter."""
        return self.length / BUCKETS


BUCKETS = 12
WINDOW_LENGTHS: dict[str, timedelta] = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}


class VelocityLimit(SealedRow):
    """How much the worker sends in a currency within a window, in all, or by provider, client or recipient.

    What exceeds it waits (`Payout.waits_for`), until the window has room or two people let it go.
    """

    sealed_set = "velocity"
    sealed_columns = ("scope", "currency", "window", "amount", "count")

    scope = models.CharField(_("counts"), max_length=16, choices=VelocityScope)
    currency = models.CharField(_("currency"), max_length=3)
    window = models.CharField(_("within"), max_length=8, choices=VelocityWindow)
    amount = models.DecimalField(_("amount"), null=True, blank=True, help_text=_("In all, at most."))
    count = models.PositiveIntegerField(_("payouts"), null=True, blank=True, help_text=_("At most so many."))

    history = History()

    class Meta:
        verbose_name = _("velocity limit")
        verbose_name_plural = _("velocity limits")
        ordering = ["currency", "scope", "window"]
        constraints = [
            models.UniqueConstraint(
                fields=["currency", "scope", "window"],
                name="velocity_limit_unique",
                violation_error_message=_("There is a limit for this already: change that one."),
            ),
            models.CheckConstraint(condition=Q(scope__in=VelocityScope.values), name="velocity_limit_scope_known"),
            models.CheckConstraint(condition=Q(window__in=VelocityWindow.values), name="velocity_limit_window_known"),
            models.CheckConstraint(
                condition=Q(currency__regex="^[A-Z]{3}$"),
                name="velocity_limit_currency",
                violation_error_message=_("A currency is three capital letters, as in RUB."),
            ),
            models.CheckConstraint(
                condition=Q(amount__isnull=False) | Q(count__isnull=False),
                name="velocity_limit_says_something",
                violation_error_message=_("Give an amount, a number of payouts, or both."),
            ),
            models.CheckConstraint(
                condition=Q(amount=None) | Q(amount__gt=0, amount__lt=money.AMOUNT_LIMIT * 100),
                name="velocity_limit_amount",
                violation_error_message=_("A limit must be greater than zero."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency}, {self.get_scope_display()}, {self.get_window_display()}"

    def clean(self) -> None:
        check_currency(self.currency)

    @property
    def reason(self) -> str:
        """What `Payout.waits_for` says of a payout that this limit stops."""
        return f"{WAITS_FOR_LIMIT}{self.scope}:{self.window}"


class VelocityUse(models.Model):
    """What was sent for one key of a scope in one bucket of a window; the claim writes it, where there is a limit.

    The key is the provider's name, the client's number (empty for what people entered), or the recipient's index in
    hexadecimal.
    """

    pk = models.CompositePrimaryKey("scope", "key", "currency", "window", "bucket_at")
    scope = models.CharField(max_length=16, choices=VelocityScope)
    key = models.CharField(max_length=64, blank=True)
    currency = models.CharField(max_length=3)
    window = models.CharField(max_length=8, choices=VelocityWindow)
    bucket_at = models.DateTimeField()
    count = models.PositiveIntegerField()
    amount = models.DecimalField()

    class Meta:
        verbose_name = _("use of a velocity limit")
        verbose_name_plural = _("use of velocity limits")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.scope} {self.currency} {self.window}: {money.shown(self.amount, self.currency)}"
