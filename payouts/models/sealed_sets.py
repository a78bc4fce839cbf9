"""What is configured is sealed, so that SQL alone changes no rule: one seal over all rows of a set, and its version.

`verified` gives the rows of a set to those who decide by them, and raises where they are not those that the product
wrote. A model of a set inherits from `SealedRow` and names its set and the columns that count. Saving or deleting a
row seals the set anew, in the same transaction, after the rows that stood before have been found to fit.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple, cast

import structlog
from django.apps import apps
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payouts import money, vault

log = structlog.get_logger(__name__)


class ConfigurationAlteredError(Exception):
    """A set of rows is not what the product wrote: nothing may be decided by it before an audit."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(altered(name))
        self.name, self.detail = name, detail


def altered(name: str) -> str:
    """The sentence for people about a set that does not fit, which it calls as the menu does: velocity limits."""
    words = {"set": sealed_sets()[name]._meta.verbose_name_plural}
    return _("The configuration (%(set)s) was changed outside the product: nothing is decided by it.") % words


class ConfigurationSeal(models.Model):
    """The seal of one set, whose version counts its changes. Triggers refuse a lower version, and to delete it."""

    name = models.CharField(max_length=32, primary_key=True)
    version = models.BigIntegerField()
    facts_seal = models.BinaryField(max_length=vault.SEAL_BYTES)

    class Meta:
        verbose_name = gettext_lazy("seal of the configuration")
        verbose_name_plural = gettext_lazy("seals of the configuration")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class SealedRows[Row: models.Model](models.QuerySet[Row]):
    """Rows are written one by one, each with its new seal, or its set's."""

    def update(self, **values: Any) -> int:
        if sealed := sorted(set(values) & set(cast(Any, self.model).sealed_columns)):
            raise TypeError(f"{', '.join(sealed)} of {self.model.__name__} is sealed: change and save each row.")
        return super().update(**values)

    def bulk_create(self, *given: Any, **options: Any) -> Any:
        raise TypeError(f"{self.model.__name__} is sealed: save each row.")

    bulk_update = bulk_create

    def delete(self) -> tuple[int, dict[str, int]]:
        deleted = [row.delete()[0] for row in self]
        return sum(deleted), {self.model._meta.label: len(deleted)}


class SealedRow(models.Model):
    """A row of a sealed set."""

    sealed_set: ClassVar[str]
    sealed_columns: ClassVar[tuple[str, ...]]

    objects = SealedRows.as_manager()

    class Meta:
        abstract = True

    def save(self, **options: Any) -> None:
        """Raises ConfigurationAlteredError where the set did not fit before."""
        with transaction.atomic():
            before = locked(self.sealed_set)
            super().save(**options)
            _seal(self.sealed_set, after=before)

    def delete(self, using: Any = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            before = locked(self.sealed_set)
            deleted = super().delete(using, keep_parents)
            _seal(self.sealed_set, after=before)
        return deleted


def sealed_sets() -> dict[str, type[SealedRow]]:
    """The models by the names of their sets."""
    return {model.sealed_set: model for model in apps.get_models() if issubclass(model, SealedRow)}


# Read: what is in force


class Verified(NamedTuple):
    version: int
    facts_seal: bytes
    rows: tuple[Any, ...]
    seen_at: datetime


# Of this process: what a set was when its seal was last verified. What is read again only if the seal has changed.
_known: dict[str, Verified] = {}
TRIES = 3


def verified(name: str) -> tuple[Any, ...]:
    """The rows of the set, in the order of their keys; do not change them. Raises ConfigurationAlteredError."""
    return verified_sets([name])[name]


def verified_sets(names: Iterable[str]) -> dict[str, tuple[Any, ...]]:
    """The rows of several sets, for one query while none has changed. Raises ConfigurationAlteredError."""
    names = list(names)
    found = ConfigurationSeal.objects.filter(name__in=names).values_list("name", "version", "facts_seal")
    seals = {name: (version, bytes(seal)) for name, version, seal in found}
    return {name: verified_by(name, *seals.get(name, (0, b""))) for name in names}


def verified_by(name: str, version: int, seal: bytes) -> tuple[Any, ...]:
    """The rows that this seal is of, which the caller has just read. Raises ConfigurationAlteredError."""
    known = _known.get(name)
    if known is not None and (known.version, known.facts_seal) == (version, seal):
        return known.rows
    rows, version, seal = _read(name, version, seal)
    if known is not None and version < known.version and not _was_put_back_since(known.seen_at):
        raise _refusal(name, f"version {known.version} was in force, and version {version} stands there")
    _known[name] = Verified(version, seal, rows, timezone.now())
    return rows


def forget() -> None:
    """Read everything anew."""
    _known.clear()


def _read(name: str, version: int, seal: bytes) -> tuple[tuple[Any, ...], int, bytes]:
    """The rows with the seal that fits them; a change in between is no tampering."""
    for _each in range(TRIES):
        rows = _rows(name)
        if seal and _expected(name, version, rows, like=seal) == seal:
            return rows, version, seal
        now = ConfigurationSeal.objects.filter(name=name).values_list("version", "facts_seal").first()
        again = (now[0], bytes(now[1])) if now else (0, b"")
        if again == (version, seal):
            break
        version, seal = again
    raise _refusal(name, fault_of(name))


def _was_put_back_since(moment: datetime) -> bool:
    """Whether the database is known to be an earlier one: recovery mode has begun, and people are told of it."""
    recoveries = apps.get_model("payouts", "Recovery")._default_manager
    return recoveries.filter(models.Q(ended_at=None) | models.Q(began_at__gt=moment)).exists()


def _refusal(name: str, detail: str) -> ConfigurationAlteredError:
    log.error("configuration_altered", set=name, detail=detail)
    return ConfigurationAlteredError(name, detail)


# Write


def locked(name: str) -> ConfigurationSeal:
    """The set's seal, locked, whose rows fit it. Raises ConfigurationAlteredError."""
    found = ConfigurationSeal.objects.select_for_update().filter(name=name).first()
    if found is None or not _fits(found):
        raise _refusal(name, fault_of(name))
    return found


def _fits(seal: ConfigurationSeal) -> bool:
    stored = bytes(seal.facts_seal)
    return _expected(seal.name, seal.version, _rows(seal.name), like=stored) == stored


def _seal(name: str, *, after: ConfigurationSeal) -> int:
    version = after.version + 1
    facts_seal = _expected(name, version, _rows(name))
    ConfigurationSeal.objects.filter(name=name).update(version=version, facts_seal=facts_seal)
    return version


def fault_of(name: str) -> str:
    """Why the set does not fit, for the log and the audit; empty when it does."""
    found = ConfigurationSeal.objects.filter(name=name).first()
    if found is None:
        return f"{name}: it was never sealed, or its seal is gone"
    if _fits(found):
        return ""
    if not vault.is_by_known_key(found.facts_seal):
        return f"{name}: it is sealed by a key that this process does not have"
    changed = ", ".join(_unlike_history(name))
    return f"{name}: its rows are not those of version {found.version}" + (f" ({changed})" if changed else "")


def altered_sets() -> list[str]:
    """The names of the sets that do not fit, for the start page and for monitoring; a query for each set."""
    seals = {seal.name: seal for seal in ConfigurationSeal.objects.all()}
    return [name for name in sorted(sealed_sets()) if name not in seals or not _fits(seals[name])]


def _unlike_history(name: str) -> list[str]:
    """The rows that are not as their history says that they were saved last: those that SQL has changed."""
    model = sealed_sets()[name]
    key = model._meta.pk.name
    last: dict[Any, Any] = {}
    for record in model.history.order_by("history_id"):  # type: ignore[attr-defined]
        last[getattr(record, key)] = None if record.history_type == "-" else _content(model, record)
    now = {row.pk: _content(model, row) for row in _rows(name)}
    odd = [pk for pk in last.keys() | now.keys() if last.get(pk) != now.get(pk)]
    return [f"row {pk}" for pk in sorted(odd, key=str)]


def seal_new_sets(**_kwargs: object) -> None:
    """Receiver of post_migrate: the first seal of what the migrations made.

    Where payouts were made already, only a set that never had a row: the others are `manage.py seal_configuration`'s,
    which a person confirms. A seal that somebody deleted is not made anew here either.
    """
    sealed = set(ConfigurationSeal.objects.values_list("name", flat=True))
    is_new = not apps.get_model("payouts", "Payout")._default_manager.exists() and not sealed
    for name, model in sealed_sets().items():
        if name in sealed:
            continue
        is_empty = not model._base_manager.exists() and not model.history.exists()  # type: ignore[attr-defined]
        if is_new or is_empty:
            _first_seal(name)


def seal_as_it_is(name: str) -> int:
    """Seal a set that does not fit, after a person on the server has looked at its rows. Returns the version."""
    with transaction.atomic():
        found = ConfigurationSeal.objects.select_for_update().filter(name=name).first()
        if found is None:
            return _first_seal(name)
        return _seal(name, after=found)


def renew(name: str) -> bool:
    """Seal a set that fits under the first key. Returns whether there was anything to do.

    Raises ConfigurationAlteredError.
    """
    with transaction.atomic():
        found = locked(name)
        if vault.is_by_first_key(found.facts_seal):
            return False
        found.facts_seal = _expected(name, found.version, _rows(name))
        found.save(force_update=True)
    return True


def _first_seal(name: str) -> int:
    made = ConfigurationSeal(name=name, version=1)
    made.facts_seal = _expected(name, made.version, _rows(name))
    made.save(force_insert=True)
    return made.version


def _rows(name: str) -> tuple[Any, ...]:
    return tuple(sealed_sets()[name]._base_manager.order_by("pk"))


def _expected(name: str, version: int, rows: Iterable[Any], *, like: bytes = b"") -> bytes:
    content = [[row.pk, *_content(type(row), row)] for row in rows]
    return vault.seal("configuration", name, version, content, like=like)


def _content(model: type[SealedRow], row: Any) -> list[Any]:
    return [_plain(getattr(row, column)) for column in model.sealed_columns]


def _plain(value: Any) -> Any:
    """One spelling for equal values."""
    return money.bare(value) if isinstance(value, Decimal) else value
