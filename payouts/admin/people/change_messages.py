"""What Django's log records when a form gives or takes rights."""

from typing import Any

from django.utils.translation import gettext_noop

# In change messages, translated when they are read.
GROUPS_LABEL, PERMISSIONS_LABEL = gettext_noop("Groups"), gettext_noop("Permissions")
LISTS = {"groups": GROUPS_LABEL, "user_permissions": PERMISSIONS_LABEL, "permissions": PERMISSIONS_LABEL}
SWITCHES = {
    "is_active": gettext_noop("May log in"),
    "is_staff": gettext_noop("Staff"),
    "is_superuser": gettext_noop("Superuser"),
}


def with_lists_and_switches(message: Any, form: Any) -> Any:
    """Django's change message, with the groups and permissions given and taken, and the switches turned."""
    cleaned = getattr(form, "cleaned_data", {})
    lists = {}
    for name, label in LISTS.items():
        if name in cleaned and name in form.changed_data:
            before = {each.pk: each.name for each in form.initial.get(name) or ()}
            now = {each.pk: each.name for each in cleaned[name]}
            lists[label] = {
                "given": [now[pk] for pk in now if pk not in before],
                "taken": [before[pk] for pk in before if pk not in now],
            }
    switches = {
        label: cleaned[name] for name, label in SWITCHES.items() if name in cleaned and name in form.changed_data
    }
    extra = {key: value for key, value in (("lists", lists), ("switches", switches)) if value}
    return [*message, extra] if extra else message
