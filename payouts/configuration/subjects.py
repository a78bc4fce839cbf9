"""What can be proposed. Each kind of thing is one small declaration, a `Subject`, and is registered here.

A new kind is a class beside this file with `@register`, imported in payouts/configuration/__init__.py. The pages, the
commands and the tests' matrix of ways in which rules move follow from it.
"""

from abc import ABC, abstractmethod
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

from django.contrib.auth.models import User
from django.db import models
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from payouts import money
from payouts.configuration.errors import ConfigurationError
from payouts.models import Proposal

type Content = dict[str, Any]  # JSON: what an object is, or is to be
type Text = Any  # a lazy translation

Act = Proposal.Act
NOTHING = "–"
REASON_LIMIT = 100  # of a history row


class Line(NamedTuple):
    """One thing that a proposal is about, in words for its page."""

    label: str
    before: str
    after: str


class Subject(ABC):
    """A kind of thing whose change one person proposes and another confirms.

    Contents (`before`, `after`) are JSON without secrets; the same object has the same content for ever.
    """

    name: ClassVar[str]
    label: Text
    acts: ClassVar[tuple[Proposal.Act, ...]] = (Act.CHANGE,)
    # What the proposer takes of what was added, a key or a link, which is shown once (`take`); empty for nothing.
    taken: ClassVar[str] = ""

    @abstractmethod
    def permissions(self, act: str) -> tuple[str, ...]:
        """What a person needs to propose it, and to confirm it: all of these."""

    @abstractmethod
    def find(self, object_id: str) -> Any:
        """The object, with its row locked; None when there is none, or none is named."""

    @abstractmethod
    def snapshot(self, instance: Any) -> Content:
        """What the object is now; nothing for None."""

    @abstractmethod
    def title(self, proposal: Proposal, instance: Any) -> str:
        """What it is about, as it is called now: RUB from 100,000."""

    @abstractmethod
    def apply(self, proposal: Proposal, instance: Any) -> Any:
        """Make it so, in the caller's transaction. Returns the object, None when it is gone.

        Raises ConfigurationError or ValidationError. A proposal that is not stored is one person's change at once.
        """

    @abstractmethod
    def lines(self, before: Content, after: Content) -> list[Line]:
        """What changes, in words for a page; empty `before` or `after` where there is nothing."""

    def check(  # noqa: B027 (a subject need not)
        self, proposal: Proposal, instance: Any, *, by: User | None
    ) -> None:
        """Raises ConfigurationError or ValidationError where it cannot be, or this person may not make it so.

        Called when it is proposed, and again when it is confirmed; the server is no person.
        """

    def is_safe(self, proposal: Proposal) -> bool:
        """Whether the change only bounds money more: then one person makes it, at once."""
        return False

    def people(self, proposal: Proposal) -> set[int]:
        """The ids of those whom it is about: they confirm nothing about themselves."""
        return set()

    def proposed(self, proposal: Proposal) -> None:  # noqa: B027 (a subject need not)
        """What a proposal does before anybody confirms it."""

    def take(self, proposal: Proposal) -> str:
        """The key or the link's code that was confirmed, made now, in clear. Raises ConfigurationError."""
        raise ConfigurationError(_("There is no key to take."))


_registered: dict[str, Subject] = {}


def register[Kind: type[Subject]](kind: Kind) -> Kind:
    _registered[kind.name] = kind()
    return kind


def subject(name: str) -> Subject:
    """The subject of this name. Raises ConfigurationError when there is none."""
    if name not in _registered:
        raise ConfigurationError(_("Nothing called “%(name)s” can be proposed.") % {"name": name})
    return _registered[name]


def subjects() -> dict[str, Subject]:
    """All of them by their names."""
    return dict(_registered)


class ModelSubject(Subject):
    """Rows of one model, by the columns that staff set. Their history names who proposed and who confirmed."""

    model: ClassVar[type[models.Model]]
    fields: ClassVar[tuple[str, ...]]

    @property
    def label(self) -> Text:
        return self.model._meta.verbose_name

    def permissions(self, act: str) -> tuple[str, ...]:
        return (f"{self.model._meta.app_label}.{act}_{self.model._meta.model_name}",)

    def find(self, object_id: str) -> Any:
        return self.model._base_manager.select_for_update().filter(pk=object_id).first() if object_id else None

    def snapshot(self, instance: Any) -> Content:
        return {name: as_json(getattr(instance, self._column(name))) for name in self.fields} if instance else {}

    def title(self, proposal: Proposal, instance: Any) -> str:
        return str(instance if instance is not None else self.model(**self._values(proposal.after)))

    def check(self, proposal: Proposal, instance: Any, *, by: User | None) -> None:
        if proposal.act == Act.DELETE:
            return
        kept = {field.name for field in self.model._meta.fields} - set(self.fields)
        self._changed(proposal, instance).full_clean(exclude=kept)

    def apply(self, proposal: Proposal, instance: Any) -> Any:
        self.check(proposal, instance, by=None)
        if proposal.act == Act.DELETE:
            remember(instance, proposal)
            instance.delete()
            return None
        made = self._changed(proposal, instance)
        remember(made, proposal)
        written = [name for name in self.fields if not self.model._meta.get_field(name).primary_key]  # type: ignore[union-attr]
        made.save(update_fields=written if instance else None)
        return made

    def lines(self, before: Content, after: Content) -> list[Line]:
        shown = []
        for name in self.fields:
            if before.get(name) != after.get(name) or not (before and after):
                label = capfirst(str(self.model._meta.get_field(name).verbose_name))  # type: ignore[union-attr]
                shown.append(Line(label, self.word(name, before), self.word(name, after)))
        return shown

    def word(self, name: str, content: Content) -> str:
        """How a page shows one column of a content."""
        value = content.get(name)
        if value in (None, ""):
            return NOTHING
        field = self.model._meta.get_field(name)
        if isinstance(field, models.DecimalField):
            return money.shown(Decimal(value), content.get("currency", "")).strip()
        if isinstance(field, models.ForeignKey):
            return str(field.related_model._base_manager.filter(pk=value).first() or value)
        choices = dict(getattr(field, "flatchoices", ()))
        return str(choices.get(value, value))

    def _column(self, name: str) -> str:
        return self.model._meta.get_field(name).attname  # type: ignore[union-attr]

    def _values(self, content: Content) -> Content:
        fields = self.model._meta
        return {self._column(name): fields.get_field(name).to_python(content.get(name)) for name in self.fields}  # type: ignore[union-attr]

    def _changed(self, proposal: Proposal, instance: Any) -> Any:
        made = instance if instance is not None else self.model()
        for column, value in self._values(proposal.after).items():
            setattr(made, column, value)
        return made


def as_json(value: Any) -> Any:
    """One spelling for equal values of a column."""
    return money.bare(value) if isinstance(value, Decimal) else value


def remember(instance: Any, proposal: Proposal) -> None:
    """For the row of history that the next save or deletion writes: who proposed it, and who confirmed it."""
    instance._history_user = proposal.proposed_by
    if proposal.pk:
        second = proposal.decided_by.get_username() if proposal.decided_by else proposal.on_server
        instance._change_reason = f"proposal {proposal.pk}, confirmed by {second}"[:REASON_LIMIT]
