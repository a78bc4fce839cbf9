"""Proposals about people and groups: who may do what, links to a new password, and second factors that are removed.

What a role allows to propose is what it allowed to do alone: whoever has another's link could act as two people,
so only superusers propose changes of those who make payouts or decide on them, and of what groups may do. Closing an
account is the quick stop, takes one person, and is no proposal.
"""

from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payouts.configuration.errors import ConfigurationError
from payouts.configuration.subjects import NOTHING, Act, Content, Line, Subject, register
from payouts.models import Authenticator, Passkey, Proposal
from payouts.staff import authority, groups, password_links, second_factor

CHANGE_USER = ("auth.change_user",)


def _named(permissions: QuerySet[Permission]) -> list[str]:
    found = permissions.values_list("content_type__app_label", "codename")
    return sorted(f"{label}.{codename}" for label, codename in found)


def _permissions(names: list[str]) -> list[Permission]:
    """Raises ConfigurationError for a name that is none."""
    by_name = {
        f"{each.content_type.app_label}.{each.codename}": each
        for each in Permission.objects.select_related("content_type")
    }
    if unknown := sorted(set(names) - by_name.keys()):
        raise ConfigurationError(_("There is no permission “%(name)s”.") % {"name": unknown[0]})
    return [by_name[name] for name in names]


def _in_words(names: list[str]) -> str:
    return "; ".join(sorted(groups.in_words(each) for each in _permissions(names))) or NOTHING


def _yes(value: Any) -> str:
    return NOTHING if value is None else _("yes") if value else _("no")


@register
class GroupSubject(Subject):
    name = "group"
    label = gettext_lazy("group")
    acts = (Act.ADD, Act.CHANGE)

    def permissions(self, act: str) -> tuple[str, ...]:
        return (f"auth.{act}_group",)

    def find(self, object_id: str) -> Group | None:
        return Group.objects.select_for_update().filter(pk=object_id).first() if object_id else None

    def snapshot(self, instance: Any) -> Content:
        return {"name": instance.name, "permissions": _named(instance.permissions.all())} if instance else {}

    def title(self, proposal: Proposal, instance: Any) -> str:
        return str(proposal.after.get("name") or (instance.name if instance else ""))

    def check(self, proposal: Proposal, instance: Any, *, by: User | None) -> None:
        if by is not None and by.pk == proposal.proposed_by_id and not by.is_superuser:
            raise ConfigurationError(_("Only a superuser changes what a group may do."))
        if instance is not None and instance.name in groups.GROUPS:
            raise ConfigurationError(_("The groups that come with the product stay as they are."))
        _permissions(proposal.after["permissions"])
        named = Group.objects.get(pk=instance.pk) if instance is not None else Group()
        named.name = proposal.after["name"]
        named.full_clean()

    def people(self, proposal: Proposal) -> set[int]:
        """Its members."""
        if not proposal.object_id:
            return set()
        return set(User.objects.filter(groups=int(proposal.object_id)).values_list("pk", flat=True))

    def apply(self, proposal: Proposal, instance: Any) -> Group:
        group: Group = instance or Group()
        group.name = proposal.after["name"]
        group.save()
        group.permissions.set(_permissions(proposal.after["permissions"]))
        return group

    def lines(self, before: Content, after: Content) -> list[Line]:
        found = [Line(_("Name"), before.get("name", NOTHING), after.get("name", NOTHING))]
        held, wanted = set(before.get("permissions", ())), set(after.get("permissions", ()))
        found.append(Line(_("Permissions given"), NOTHING, _in_words(sorted(wanted - held))))
        found.append(Line(_("Permissions taken"), _in_words(sorted(held - wanted)), NOTHING))
        return [line for line in found if line.before != line.after]


class AboutPerson(Subject):
    """What is proposed about one person, who confirms nothing of it, and does not propose it either."""

    def permissions(self, act: str) -> tuple[str, ...]:
        return CHANGE_USER

    def find(self, object_id: str) -> User | None:
        return User.objects.select_for_update(no_key=True).filter(pk=object_id).first() if object_id else None

    def title(self, proposal: Proposal, instance: Any) -> str:
        return str(instance.get_username() if instance else proposal.after.get("username", ""))

    def people(self, proposal: Proposal) -> set[int]:
        return {int(proposal.object_id)} if proposal.object_id else set()

    def check(self, proposal: Proposal, instance: Any, *, by: User | None) -> None:
        """What the proposer may not do to this person."""
        if by is None or by.pk != proposal.proposed_by_id or instance is None:
            return
        if by.pk == instance.pk:
            raise ConfigurationError(_("This is your own account: somebody else must propose it."))
        if not by.is_superuser and second_factor.movers().filter(pk=instance.pk).exists():
            raise ConfigurationError(_("This person may do more than look, so only a superuser can propose it."))


SWITCHES = ("is_active", "is_staff", "is_superuser")
TEXTS = ("username", "first_name", "last_name", "email")


@register
class PersonSubject(AboutPerson):
    """A person with their names, groups and rights. A new one has no password, but a link to choose it by."""

    name = "person"
    label = gettext_lazy("person")
    acts = (Act.ADD, Act.CHANGE)
    taken = "link"

    def permissions(self, act: str) -> tuple[str, ...]:
        return ("auth.add_user",) if act == Act.ADD else CHANGE_USER

    def snapshot(self, instance: Any) -> Content:
        if instance is None:
            return {}
        return {
            **{name: getattr(instance, name) for name in (*TEXTS, *SWITCHES)},
            "groups": sorted(instance.groups.values_list("name", flat=True)),
            "permissions": _named(instance.user_permissions.all()),
        }

    def check(self, proposal: Proposal, instance: Any, *, by: User | None) -> None:
        super().check(proposal, instance, by=by)
        before, after = proposal.before, proposal.after
        if before.get("is_active") and not after["is_active"]:
            raise ConfigurationError(_("Close the account instead: that takes one person, at once."))
        if by is not None and by.pk == proposal.proposed_by_id and not by.is_superuser:
            self._check_rights(before, after)
        _permissions(after["permissions"])
        self._groups(after)
        made = self._changed(instance, after)
        made.full_clean(exclude={"password"})

    def _check_rights(self, before: Content, after: Content) -> None:
        """What only superusers give: their own switch, single permissions, groups that do more than look."""
        is_same = before.get("is_superuser", False) == after["is_superuser"]
        if not is_same or before.get("permissions", []) != after["permissions"]:
            raise ConfigurationError(_("Only a superuser gives these rights."))
        given = set(after["groups"]) - set(before.get("groups", ()))
        if Group.objects.filter(name__in=given, permissions__in=second_factor.moving_permissions()).exists():
            raise ConfigurationError(_("Only a superuser can add people to groups that may do more than look."))

    def apply(self, proposal: Proposal, instance: Any) -> User:
        made = self._changed(instance, proposal.after)
        if instance is None:
            made.set_unusable_password()
        made.save()
        made.groups.set(self._groups(proposal.after))
        made.user_permissions.set(_permissions(proposal.after["permissions"]))
        return made

    def take(self, proposal: Proposal) -> str:
        return _link_for(proposal.result_id, by=proposal.proposed_by)

    def _changed(self, instance: Any, after: Content) -> User:
        made: User = User.objects.get(pk=instance.pk) if instance is not None else User()
        for name in (*TEXTS, *SWITCHES):
            setattr(made, name, after[name])
        return made

    def _groups(self, after: Content) -> list[Group]:
        found = list(Group.objects.filter(name__in=after["groups"]))
        if len(found) != len(set(after["groups"])):
            raise ConfigurationError(_("One of these groups is gone."))
        return found

    def lines(self, before: Content, after: Content) -> list[Line]:
        words = {
            "username": _("Username"),
            "first_name": _("First name"),
            "last_name": _("Last name"),
            "email": _("Email"),
            "is_active": _("Account open"),
            "is_staff": _("May use the back office"),
            "is_superuser": _("Superuser"),
        }
        found = [Line(words[name], before.get(name) or NOTHING, after.get(name) or NOTHING) for name in TEXTS]
        found += [Line(words[name], _yes(before.get(name)), _yes(after.get(name))) for name in SWITCHES]
        named = (", ".join(_(name) for name in each.get("groups", ())) or NOTHING for each in (before, after))
        found.append(Line(_("Groups"), *named))
        found.append(
            Line(
                _("Own permissions"),
                _in_words(before.get("permissions", [])),
                _in_words(after.get("permissions", [])),
            )
        )
        return [line for line in found if line.before != line.after]


LINK: Content = {"password": "by a link"}


def _link_for(person_id: str, *, by: User) -> str:
    """The code of a new link. Raises ConfigurationError."""
    person = User.objects.select_for_update(no_key=True).get(pk=person_id)
    if not person.is_active:
        raise ConfigurationError(_("This account is closed."))
    return password_links.make(person, by=by)


@register
class PasswordSubject(AboutPerson):
    """A link by which the person chooses a new password. The present one works until then."""

    name = "password"
    label = gettext_lazy("password link")
    acts = (Act.ADD,)
    taken = "link"

    def snapshot(self, instance: Any) -> Content:
        return {}

    def check(self, proposal: Proposal, instance: Any, *, by: User | None) -> None:
        super().check(proposal, instance, by=by)
        if instance is None:
            raise ConfigurationError(_("A link is a person's: say whose."))
        if not instance.is_active:
            raise ConfigurationError(_("This account is closed."))
        if authority.is_known_elsewhere(instance):
            raise ConfigurationError(_("This person comes by single sign-on, so no password opens anything."))

    def apply(self, proposal: Proposal, instance: Any) -> User:
        """No link is made before it is taken."""
        found: User = instance
        return found

    def lines(self, before: Content, after: Content) -> list[Line]:
        if (
            after.get("password", LINK["password"]) != LINK["password"]
        ):  # decided when one person still typed it for another
            return [Line(_("Password"), _("the present one"), _("the one that the proposer has set"))]
        return [Line(_("Password"), _("the present one"), _("the one that the person chooses by the link"))]

    def take(self, proposal: Proposal) -> str:
        return _link_for(proposal.object_id, by=proposal.proposed_by)


@register
class SecondFactorSubject(AboutPerson):
    """A second factor is taken away, the backup codes with it: the next login sets up a new one."""

    name = "second_factor"
    label = gettext_lazy("second factor")
    acts = (Act.DELETE,)

    def snapshot(self, instance: Any) -> Content:
        if instance is None:
            return {}
        found = Authenticator.objects.filter(user=instance, confirmed=True).first()
        passkeys = list(Passkey.objects.filter(user=instance).order_by("pk").values_list("pk", flat=True))
        content: Content = {"authenticator": found.pk} if found else {}
        return content | ({"passkeys": passkeys} if passkeys else {})

    def check(self, proposal: Proposal, instance: Any, *, by: User | None) -> None:
        super().check(proposal, instance, by=by)
        if by is not None and by.pk == proposal.proposed_by_id and not by.is_superuser:
            raise ConfigurationError(_("Only a superuser proposes to remove a second factor."))
        if not proposal.before:
            raise ConfigurationError(_("This person has no second factor."))

    def apply(self, proposal: Proposal, instance: Any) -> User:
        person: User = instance
        second_factor.remove(person)
        return person

    def lines(self, before: Content, after: Content) -> list[Line]:
        return [Line(_("Second factor"), _("in use"), _("removed"))]
