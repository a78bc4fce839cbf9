"""Whether people and groups are what the back office stored: SQL alone gives nobody a login or a permission.

A person's seal covers the account (name, password's hash, switches), its groups, its own permissions, and its second
factors and single sign-on; a group's covers its name and permissions. A person whose seal does not fit cannot
log in and has no permission; a group whose seal does not fit gives none. The audit and the start page name both.

Django's people and groups are no models of ours, so their seals follow by signals: the one place where a rule of ours
does. Each change is sealed from what was verified before it, and never from what is read afterwards; what did not fit
before is not sealed anew but by `manage.py seal_people`.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import structlog
from django.conf import settings
from django.contrib.auth.backends import BaseBackend, ModelBackend
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.contrib.postgres.expressions import ArraySubquery
from django.db import models, transaction
from django.db.models import F, Func, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Concat, JSONObject, Now
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete, pre_save
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from payouts import vault
from payouts.models import Authenticator, AuthoritySeal, BackupCodes, Checkpoint, Passkey, SingleSignOn

log = structlog.get_logger(__name__)

Kind = AuthoritySeal.Kind
# With the classes of django-otp that ours stand for: their rows are the same.
LOGINS = (Passkey, SingleSignOn, Authenticator, TOTPDevice, BackupCodes, StaticDevice)
ACCOUNT = ("username", "password", "is_active", "is_staff", "is_superuser")
HELD = "_sealed_before"  # on the instance that Django's signals hand on, from before a change until after it


@dataclass(frozen=True, slots=True)
class SealedGroup:
    """All of a group that counts."""

    pk: int
    name: str
    permissions: frozenset[str]
    """As in “payouts.view_payout”."""

    @property
    def kind(self) -> AuthoritySeal.Kind:
        return Kind.GROUP


@dataclass(frozen=True, slots=True)
class SealedPerson:
    """All of a person that counts."""

    pk: int
    username: str
    password: str
    is_active: bool
    is_staff: bool
    is_superuser: bool
    groups: frozenset[int]
    permissions: frozenset[str]
    """Their own, besides those of their groups."""
    logins: frozenset[str] = frozenset()
    """Their second factors and single sign-on, by name_of_login: one that was taken away stays away."""

    @property
    def kind(self) -> AuthoritySeal.Kind:
        return Kind.PERSON


type Sealed = SealedPerson | SealedGroup


@dataclass(frozen=True, slots=True)
class Found:
    """A person or group as it is in the database, with its seal."""

    content: Sealed
    name: str
    version: int
    seal: bytes

    @property
    def fits(self) -> bool:
        return bool(self.seal) and _seal(self.content, self.version, like=self.seal) == self.seal


def _seal(content: Sealed, version: int, *, like: bytes = b"") -> bytes:
    facts = asdict(content)
    if not facts.get("logins", True):  # as it was sealed before logins were
        del facts["logins"]
    parts = [sorted(value) if isinstance(value, frozenset) else value for value in facts.values()]
    return vault.seal("authority", content.kind.value, version, *parts, like=like)


# Reading


def _named() -> Concat:
    return Concat("content_type__app_label", Value("."), "codename")


def _sealed(kind: AuthoritySeal.Kind, column: str) -> Subquery:
    return Subquery(AuthoritySeal.objects.filter(kind=kind, object_id=OuterRef("pk")).values(column)[:1])


def _groups() -> QuerySet[Group]:
    return Group.objects.annotate(
        sealed_permissions=ArraySubquery(Permission.objects.filter(group=OuterRef("pk")).values(named=_named())),
        sealed_version=_sealed(Kind.GROUP, "version"),
        sealed_seal=_sealed(Kind.GROUP, "seal"),
    )


def name_of_login(row: Any) -> str:
    """Of a passkey, an app, backup codes or single sign-on: its table and number, and which key an app has."""
    name = f"{row._meta.db_table} {row.pk}"
    return f"{name} {vault.digest(row.key).hex()[:16]}" if isinstance(row, TOTPDevice) else name


def _logins(model: Any) -> ArraySubquery:
    return ArraySubquery(model.objects.filter(user=OuterRef("pk")).values("pk"))


def _people() -> QuerySet[User]:
    """With their groups, permissions and logins, in one statement."""
    groups = _groups().filter(user=OuterRef("pk"))
    return User.objects.annotate(
        sealed_groups=ArraySubquery(
            groups.values(
                json=JSONObject(
                    pk="pk",
                    name="name",
                    permissions="sealed_permissions",
                    version="sealed_version",
                    seal=Func(F("sealed_seal"), Value("hex"), function="encode", output_field=models.TextField()),
                )
            )
        ),
        sealed_permissions=ArraySubquery(Permission.objects.filter(user=OuterRef("pk")).values(named=_named())),
        sealed_passkeys=_logins(Passkey),
        sealed_apps=ArraySubquery(
            TOTPDevice.objects.filter(user=OuterRef("pk")).values(json=JSONObject(pk="pk", key="key"))
        ),
        sealed_codes=_logins(StaticDevice),
        sealed_single_sign_on=_logins(SingleSignOn),
        sealed_version=_sealed(Kind.PERSON, "version"),
        sealed_seal=_sealed(Kind.PERSON, "seal"),
    )


def _logins_of(row: Any) -> Iterator[Any]:
    yield from (Passkey(pk=number) for number in row.sealed_passkeys)
    yield from (TOTPDevice(**app) for app in row.sealed_apps)
    yield from (StaticDevice(pk=number) for number in row.sealed_codes)
    yield from (SingleSignOn(pk=number) for number in row.sealed_single_sign_on)


def _found_person(row: Any) -> Found:
    content = SealedPerson(
        pk=row.pk,
        groups=frozenset(group["pk"] for group in row.sealed_groups),
        permissions=frozenset(row.sealed_permissions),
        logins=frozenset(map(name_of_login, _logins_of(row))),
        **{name: getattr(row, name) for name in ACCOUNT},
    )
    return Found(content, row.username, row.sealed_version or 0, bytes(row.sealed_seal or b""))


def _found_group(row: Any) -> Found:
    content = SealedGroup(row.pk, row.name, frozenset(row.sealed_permissions))
    return Found(content, row.name, row.sealed_version or 0, bytes(row.sealed_seal or b""))


def everybody() -> Iterator[Found]:
    """All people and groups."""
    yield from map(_found_person, _people().order_by("pk").iterator(chunk_size=500))
    yield from map(_found_group, _groups().order_by("pk"))


def unfit() -> list[Found]:
    """The people and groups that are not what the back office stored: some SQL wrote them."""
    return [found for found in everybody() if not found.fits]


def genuine(person_id: int) -> User | None:
    """The person as stored, with the permissions that they have; None where their seal does not fit."""
    row = _people().filter(pk=person_id).first()
    return row if row is not None and _remember_rights(row, row) else None


def is_genuine(person: User) -> bool:
    """Whether this person's row is what the back office stored; for where no login has checked it."""
    return genuine(person.pk) is not None


def _remember_rights(person: Any, row: Any) -> bool:
    """Keep the permissions where Django looks for them; none, and False, where the seal does not fit."""
    own: set[str] = set()
    by_groups: set[str] = set()
    fits = _found_person(row).fits
    if fits and row.is_superuser:
        own = by_groups = set(Permission.objects.values_list(_named(), flat=True))
    elif fits:
        own = set(row.sealed_permissions)
        for group in row.sealed_groups:
            content = SealedGroup(group["pk"], group["name"], frozenset(group["permissions"]))
            if Found(content, "", group["version"] or 0, bytes.fromhex(group["seal"] or "")).fits:
                by_groups |= content.permissions
    person._user_perm_cache, person._group_perm_cache = own, by_groups
    return fits


def is_known_elsewhere(person: User) -> bool:
    """Whether only the identity provider lets this person in: who is closed there must not come in beside it."""
    if not settings.OIDC_ISSUER or settings.OIDC_PASSWORDS:
        return False
    return bool(SingleSignOn.objects.filter(user=person).exists())


class SealedBackend(ModelBackend):
    """Django's own, for people whose seals fit. One statement reads a request's person and their permissions."""

    def get_user(self, user_id: int) -> User | None:
        person = genuine(user_id)
        return person if person is not None and self.user_can_authenticate(person) else None

    def authenticate(self, request: Any, **credentials: Any) -> User | None:  # type: ignore[override]
        """By name and password; no password opens the account of who comes by single sign-on."""
        person = super().authenticate(request, **credentials)
        return None if person is not None and is_known_elsewhere(person) else person

    def user_can_authenticate(self, user: Any) -> bool:
        if user is None or not super().user_can_authenticate(user):
            return False
        if hasattr(user, "sealed_seal"):  # by get_user, which has looked
            return True
        if fits := is_genuine(user):
            return fits
        log.error("person_not_sealed", person=user.get_username())
        return False

    def _get_permissions(self, user_obj: User | AnonymousUser, obj: Any, from_name: str) -> set[str]:
        if not isinstance(user_obj, User) or not user_obj.is_active or obj is not None:
            return set()
        if not hasattr(user_obj, f"_{from_name}_perm_cache"):
            row = _people().filter(pk=user_obj.pk).first()
            if row is None:
                return set()
            _remember_rights(user_obj, row)
        return cast("set[str]", getattr(user_obj, f"_{from_name}_perm_cache"))

    # Through the ones above, not past them.
    aget_user = BaseBackend.aget_user
    aauthenticate = BaseBackend.aauthenticate  # type: ignore[assignment]
    aget_user_permissions = BaseBackend.aget_user_permissions
    aget_group_permissions = BaseBackend.aget_group_permissions


# Writing


def close(person_id: int) -> bool:
    """Close the account: its sessions end with the next request. Returns False where it was closed before."""
    with transaction.atomic():
        person = User.objects.select_for_update(no_key=True).get(pk=person_id)
        was_open, person.is_active = person.is_active, False
        if was_open:
            person.save(update_fields=["is_active"])
    return was_open


def seal_anew(found: Found, *, by: str) -> None:
    """Make what is there the truth: for `manage.py seal_people`, after somebody, `by`, has read it."""
    # Beyond what a checkpoint has seen too: SQL may have put an older version back.
    last = Checkpoint.objects.order_by("number").last()
    seen = last.versions.get(f"{found.content.kind.value} {found.content.pk}", 0) if last else 0
    version = max(found.version, seen) + 1
    # Sealed as it was read, printed and confirmed, whatever it is by now.
    AuthoritySeal.objects.update_or_create(
        kind=found.content.kind,
        object_id=found.content.pk,
        defaults={"version": version, "seal": _seal(found.content, version), "sealed_at": Now()},
    )
    log.warning("authority_sealed", kind=found.content.kind.value, name=found.name, by=by)


def renew_seals() -> list[Found]:
    """Seal all that fits under the first key, at a rotation; returns what fits no key, which stays as it is."""
    left = []
    with transaction.atomic():
        list(AuthoritySeal.objects.select_for_update(no_key=True).order_by("pk"))
        for found in everybody():
            if not found.fits:
                left.append(found)
            elif not vault.is_by_first_key(found.seal):
                _write(found.content, found.version, found.version)
    return left


def _write(content: Sealed, before: int, version: int) -> bool:
    """Returns False where the seal is not the one before any more."""
    written = AuthoritySeal.objects.filter(kind=content.kind, object_id=content.pk, version=before).update(
        version=version, seal=_seal(content, version), sealed_at=Now()
    )
    return bool(written)


def _reseal(held: Found | None, **changes: Any) -> None:
    """Seal what was verified before with what the back office has changed."""
    if held is None:
        return
    content = replace(held.content, **changes)
    if content == held.content or _write(content, held.version, held.version + 1):
        return
    # Outside a transaction no lock is kept until here: somebody changed something else meanwhile, and sealed that.
    kind, pk = held.content.kind, held.content.pk
    now = _found_person(_people().get(pk=pk)) if kind == Kind.PERSON else _found_group(_groups().get(pk=pk))
    theirs = replace(now.content, **{name: getattr(held.content, name) for name in changes})
    content = replace(theirs, **changes)
    if not (replace(now, content=theirs).fits and _write(content, now.version, now.version + 1)):
        log.error("authority_not_sealed", kind=kind.value, name=held.name)


def _hold(instance: Any, kind: AuthoritySeal.Kind, ids: Iterable[int]) -> None:
    """Verify, before a change, what it is made to; only that is sealed after it."""
    wanted = sorted(ids)
    with transaction.atomic():
        # Two changes of one person wait for each other.
        locked = AuthoritySeal.objects.select_for_update(no_key=True).order_by("pk")
        list(locked.filter(kind=kind, object_id__in=wanted))
        found = (
            map(_found_person, _people().filter(pk__in=wanted))
            if kind == Kind.PERSON
            else map(_found_group, _groups().filter(pk__in=wanted))
        )
        held = {each.content.pk: each for each in found if each.fits}
    instance.__dict__.setdefault(HELD, {}).update({(kind, pk): each for pk, each in held.items()})


def _held(instance: Any, kind: AuthoritySeal.Kind) -> list[Found]:
    """What was held of this kind, once."""
    held: dict[tuple[AuthoritySeal.Kind, int], Found] = instance.__dict__.get(HELD, {})
    return [held.pop(key) for key in list(held) if key[0] == kind]


# Receivers of Django's signals


def connect() -> None:
    """Called once, when the app is ready."""
    for model, before, after in ((User, _before_person, _after_person), (Group, _before_group, _after_group)):
        pre_save.connect(before, sender=model)
        post_save.connect(after, sender=model)
    for login in LOGINS:
        pre_save.connect(_before_login, sender=login)
        post_save.connect(_after_login, sender=login)
        pre_delete.connect(_before_login_goes, sender=login)
        post_delete.connect(_after_login_went, sender=login)
    pre_delete.connect(_before_group_goes, sender=Group)
    post_delete.connect(_after_group_went, sender=Group)
    for through in (User.groups.through, User.user_permissions.through, Group.permissions.through):
        m2m_changed.connect(_rights_changed, sender=through)


def _before_person(instance: User, update_fields: Collection[str] | None, **_kwargs: Any) -> None:
    if instance.pk and (update_fields is None or set(update_fields) & set(ACCOUNT)):
        _hold(instance, Kind.PERSON, [instance.pk])


def _after_person(instance: User, created: bool, update_fields: Collection[str] | None, **_kwargs: Any) -> None:
    account = {name: getattr(instance, name) for name in ACCOUNT if update_fields is None or name in update_fields}
    if created:
        _first(SealedPerson(pk=instance.pk, groups=frozenset(), permissions=frozenset(), **account))
    for held in _held(instance, Kind.PERSON):
        _reseal(held, **account)


def _before_login(instance: Any, **_kwargs: Any) -> None:
    if instance._state.adding:
        _hold(instance, Kind.PERSON, [instance.user_id])


def _after_login(instance: Any, created: bool, **_kwargs: Any) -> None:
    for held in _held(instance, Kind.PERSON) if created else ():
        _reseal(held, logins=cast(SealedPerson, held.content).logins | {name_of_login(instance)})


def _before_login_goes(instance: Any, **_kwargs: Any) -> None:
    _hold(instance, Kind.PERSON, [instance.user_id])


def _after_login_went(instance: Any, **_kwargs: Any) -> None:
    for held in _held(instance, Kind.PERSON):
        _reseal(held, logins=cast(SealedPerson, held.content).logins - {name_of_login(instance)})


def _before_group(instance: Group, **_kwargs: Any) -> None:
    if instance.pk:
        _hold(instance, Kind.GROUP, [instance.pk])


def _after_group(instance: Group, created: bool, **_kwargs: Any) -> None:
    if created:
        _first(SealedGroup(instance.pk, instance.name, frozenset()))
    for held in _held(instance, Kind.GROUP):
        _reseal(held, name=instance.name)


def _first(content: Sealed) -> None:
    AuthoritySeal.objects.create(kind=content.kind, object_id=content.pk, seal=_seal(content, 1))


def _before_group_goes(instance: Group, **_kwargs: Any) -> None:
    _hold(instance, Kind.PERSON, instance.user_set.values_list("pk", flat=True))


def _after_group_went(instance: Group, **_kwargs: Any) -> None:
    for held in _held(instance, Kind.PERSON):
        _reseal(held, groups=cast(SealedPerson, held.content).groups - {instance.pk})
    AuthoritySeal.objects.filter(kind=Kind.GROUP, object_id=instance.pk).delete()


def _rights_changed(
    sender: Any, instance: Any, action: str, reverse: bool, pk_set: set[int] | None, **_kwargs: Any
) -> None:
    """A person's groups, a person's permissions or a group's, from either side."""
    kind = Kind.GROUP if sender is Group.permissions.through else Kind.PERSON
    column = "groups" if sender is User.groups.through else "permissions"
    moment, _separator, change = action.partition("_")
    if moment == "pre":
        _hold(instance, kind, _owners(sender, instance, pk_set) if reverse else [instance.pk])
        return
    others: frozenset[Any] = frozenset({instance.pk} if reverse else pk_set or ())
    if column == "permissions":
        others = frozenset(Permission.objects.filter(pk__in=others).values_list(_named(), flat=True))
    for held in _held(instance, kind):
        before: frozenset[Any] = getattr(held.content, column)
        if change == "clear" and not reverse:
            _reseal(held, **{column: frozenset()})
        else:
            _reseal(held, **{column: before | others if change == "add" else before - others})


def _owners(sender: Any, instance: Any, pk_set: set[int] | None) -> Iterable[int]:
    """The people or groups whose rights change when this group or permission is given from its own side."""
    if pk_set is not None:
        return pk_set
    owner = "group" if sender is Group.permissions.through else "user"
    field = "group" if sender is User.groups.through else "permission"
    found: Iterable[int] = sender.objects.filter(**{field: instance.pk}).values_list(f"{owner}_id", flat=True)
    return found
