"""Which account pays: routes, of which the first that fits a payout decides."""

from collections.abc import Mapping

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from payouts import money
from payouts.models.clients import ApiClient
from payouts.models.configuration import check_currency
from payouts.models.history import History
from payouts.models.payout import Payout
from payouts.models.sealed_sets import SealedRow
from payouts.providers import registry


def account_choices() -> list[tuple[str, str]]:
    """The accounts that the environment names."""
    return [(name, name) for name in registry.known_names()]


def recipient_kind_choices() -> list[tuple[str, object]]:
    """The ways to be paid that some provider declares, and any."""
    return [("", _("any")), *registry.recipient_kinds().items()]


class Route(SealedRow):
    """Payouts that fit it are paid by its account, where no route before it fits. What is empty fits every payout."""

    sealed_set = "routes"
    sealed_columns = (
        "position",
        "client_id",
        "currency",
        "recipient_kind",
        "from_amount",
        "below_amount",
        "account",
    )

    position = models.PositiveIntegerField(
        _("position"), help_text=_("The lowest is tried first. Leave gaps, as in 10, 20, 30.")
    )
    client = models.ForeignKey(
        ApiClient,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("client"),
        help_text=_("Empty for every client, and for what people enter."),
    )
    currency = models.CharField(_("currency"), max_length=3, blank=True, help_text=_("Empty for every currency."))
    recipient_kind = models.CharField(
        _("kind of recipient"), max_length=32, blank=True, choices=recipient_kind_choices
    )
    from_amount = models.DecimalField(_("from amount"), null=True, blank=True, help_text=_("This amount and more."))
    below_amount = models.DecimalField(_("below amount"), null=True, blank=True, help_text=_("Not this amount."))
    account = models.CharField(
        _("account"), max_length=32, choices=account_choices, help_text=_("With a provider, as the settings name it.")
    )

    history = History()

    class Meta:
        verbose_name = _("route")
        verbose_name_plural = _("routes")
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                fields=["position"],
                name="route_position_unique",
                violation_error_message=_("There is a route at this position already: give another number."),
            ),
            models.CheckConstraint(
                condition=Q(currency="") | Q(currency__regex="^[A-Z]{3}$"),
                name="route_currency",
                violation_error_message=_("A currency is three capital letters, as in RUB."),
            ),
            models.CheckConstraint(
                condition=(Q(from_amount=None) | Q(from_amount__gte=0, from_amount__lt=money.AMOUNT_LIMIT))
                & (Q(below_amount=None) | Q(below_amount__gt=0, below_amount__lt=money.AMOUNT_LIMIT)),
                name="route_amounts",
                violation_error_message=_("The amount must be zero or more."),
            ),
            models.CheckConstraint(
                condition=Q(from_amount=None) | Q(below_amount=None) | Q(from_amount__lt=F("below_amount")),
                name="route_amounts_in_order",
                violation_error_message=_("No amount is both from the first and below the second."),
            ),
            models.CheckConstraint(
                condition=Q(from_amount=None, below_amount=None) | ~Q(currency=""),
                name="route_amount_of_currency",
                violation_error_message=_("Say in which currency the amounts are."),
            ),
            models.CheckConstraint(condition=~Q(account=""), name="route_names_an_account"),
        ]

    def __str__(self) -> str:
        return f"{self.position} → {self.account}"

    def clean(self) -> None:
        if self.currency:
            check_currency(self.currency)
        ways = registry.recipients_of(self.account)
        if ways is None:
            return
        words = {"account": self.account, "currency": self.currency}
        ways = [way for way in ways if self.recipient_kind in ("", way.name)]
        if not ways:
            text = _("The account %(account)s does not pay to this kind of recipient.")
            raise ValidationError({"recipient_kind": ValidationError(text, params=words)})
        if self.currency and not any(self.currency in way.currencies for way in ways):
            text = _("The account %(account)s does not pay in %(currency)s.")
            raise ValidationError({"currency": ValidationError(text, params=words)})

    def fits(self, payout: Payout, recipient: Mapping[str, object]) -> bool:
        """Whether it is about this payout, whose recipient is given in clear."""
        return (
            self.client_id in (None, payout.client_id)
            and self.currency in ("", payout.currency)
            and (self.from_amount is None or self.from_amount <= payout.amount)
            and (self.below_amount is None or payout.amount < self.below_amount)
            and (not self.recipient_kind or registry.is_of_kind(recipient, self.recipient_kind, self.account))
        )
