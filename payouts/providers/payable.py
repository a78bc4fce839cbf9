"""Whether an account can pay a payout at all, by what its provider declares: known before anything is sent.

An account that declares nothing is given whatever comes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from payouts import money
from payouts.providers import RecipientKind, registry

RECIPIENT = "recipient_details"
SENTENCES: dict[str, Promise] = {
    "account_cannot_pay": _("The account %(account)s cannot pay such a recipient. It pays by: %(ways)s."),
    "account_needs_more": _("To pay this recipient, the account %(account)s also needs: %(fields)s."),
    "account_currency": _("The account %(account)s does not pay in %(currency)s."),
    "account_whole": _("The account %(account)s pays whole %(currency)s only, without decimals."),
    "account_least": _("The account %(account)s pays at least %(amount)s to this recipient."),
    "account_most": _("The account %(account)s pays at most %(amount)s at a time to this recipient."),
}


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why an account cannot pay: a code with parameters, to be kept and told to each reader in their language."""

    field: str
    """Of a payout: recipient_details, currency or amount."""
    code: str
    parameters: dict[str, str]

    @property
    def sentence(self) -> str:
        return sentence(self.code, self.parameters)


def sentence(code: str, parameters: Mapping[str, Any]) -> str:
    """An obstacle in the reader's language."""
    words = dict(parameters)
    if "amount" in words:
        words["amount"] = money.shown(Decimal(words["amount"]), words["currency"])
    return str(SENTENCES[code]) % words


def obstacle(name: str, *, recipient: Mapping[str, object], amount: Decimal, currency: str) -> Obstacle | None:
    """What keeps this account from paying that to this recipient, in clear; None: nothing that is declared."""
    ways = registry.ways_for(recipient, name)
    if ways is None:
        return None
    about = {"account": name, "currency": currency}
    if not ways:
        return _of_recipient(recipient, name)
    ways = [way for way in ways if currency in way.currencies]
    if not ways:
        return Obstacle("currency", "account_currency", about)
    if amount != amount.to_integral_value() and all(currency in way.whole for way in ways):
        return Obstacle("amount", "account_whole", about)
    limits = [way.currencies[currency] for way in ways]
    if any(least <= amount <= most for least, most in limits):
        return None
    least, most = min(limits)[0], max(most for _least, most in limits)
    if amount < least:
        return Obstacle("amount", "account_least", {**about, "amount": money.plain(least)})
    return Obstacle("amount", "account_most", {**about, "amount": money.plain(most)})


def _of_recipient(recipient: Mapping[str, object], name: str) -> Obstacle:
    ways = registry.recipients_of(name) or ()
    # A name, which several ways can ask for, stands behind what says where the money goes.
    begun = [way for way in ways if recipient.get(way.fields[0])]
    missing = [field for way in begun for field in way.fields if not recipient.get(field)]
    if len(begun) == 1 and missing:
        return Obstacle(RECIPIENT, "account_needs_more", {"account": name, "fields": ", ".join(missing)})
    by = "; ".join(_in_words(way) for way in ways)
    return Obstacle(RECIPIENT, "account_cannot_pay", {"account": name, "ways": by})


def _in_words(way: RecipientKind) -> str:
    return f"{way.name} ({', '.join(way.fields)})"
