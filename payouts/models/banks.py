"""The banks that a recipient can have, as the providers list them."""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

from django.db import models
from django.utils.translation import gettext_lazy as _

from payouts.providers import registry


@dataclass(frozen=True)
class BankList:
    """Banks to choose from: their names by id. Empty: nobody has told any, and a bank's name is a free text."""

    names: dict[str, str]

    @cached_property
    def labels(self) -> dict[str, str]:
        """The ids by what a person chooses, sorted: the name, and where several banks have it, with the id."""
        labelled = (
            (name if len(self._by_name[_plain(name)]) == 1 else f"{name} ({bank_id})", bank_id)
            for bank_id, name in self.names.items()
        )
        return dict(sorted(labelled))

    def find(self, text: str) -> list[str]:
        """The ids that an id, a label or a name stands for: one where it is clear, none for a bank not listed."""
        return self._by_text.get(_plain(text), [])

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for bank_id, name in self.names.items():
            found[_plain(name)].append(bank_id)
        return dict(found)

    @cached_property
    def _by_text(self) -> dict[str, list[str]]:
        labels = {_plain(label): [bank_id] for label, bank_id in self.labels.items()}
        return self._by_name | labels | {_plain(bank_id): [bank_id] for bank_id in self.names}


NO_BANKS = BankList({})


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


class BankQuerySet(models.QuerySet["Bank"]):
    def offered(self) -> BankList:
        """Those of the kinds of provider that the environment names."""
        return BankList(dict(self.filter(kind__in=registry.accounts_by_kind()).values_list("bank_id", "name")))


class Bank(models.Model):
    """A bank of the last list that a provider of this kind has told."""

    kind = models.CharField(_("kind of provider"), max_length=32)
    bank_id = models.CharField(_("bank's ID"), max_length=64)
    name = models.CharField(_("name"), max_length=255)
    seen_at = models.DateTimeField(_("seen at"))

    objects = BankQuerySet.as_manager()

    class Meta:
        verbose_name = _("bank")
        verbose_name_plural = _("banks")
        default_permissions = ()
        ordering = ["kind", "name", "bank_id"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "bank_id"], name="bank_unique"),
            models.CheckConstraint(condition=~models.Q(bank_id=""), name="bank_has_an_id"),
        ]

    def __str__(self) -> str:
        return self.name
