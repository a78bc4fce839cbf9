"""Seals for people and groups, and the first of each, in the migration that makes their table.

So nobody can have another first one made: the table is there by then.
"""

from typing import Any

import django.db.models.functions.datetime
from django.db import migrations, models

from payouts import vault

FIRST = 1


def seal_all(apps: Any, _schema_editor: Any) -> None:
    """Seal everybody as they are: as payouts.staff.authority does."""
    User, Group = apps.get_model("auth", "User"), apps.get_model("auth", "Group")  # noqa: N806
    made = apps.get_model("payouts", "AuthoritySeal").objects

    def named(holder: Any) -> list[str]:
        found = holder.values_list("content_type__app_label", "codename")
        return sorted(f"{app}.{codename}" for app, codename in found)

    for person in User.objects.order_by("pk").iterator(chunk_size=500):
        parts = (
            *(person.pk, person.username, person.password),
            *(person.is_active, person.is_staff, person.is_superuser),
            sorted(person.groups.values_list("pk", flat=True)),
            named(person.user_permissions),
        )
        made.create(kind="person", object_id=person.pk, seal=vault.seal("authority", "person", FIRST, *parts))
    for group in Group.objects.order_by("pk"):
        seal = vault.seal("authority", "group", FIRST, group.pk, group.name, named(group.permissions))
        made.create(kind="group", object_id=group.pk, seal=seal)


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0022_event_person_enforced"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuthoritySeal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=[("person", "person"), ("group", "group")], max_length=8)),
                ("object_id", models.BigIntegerField()),
                ("version", models.PositiveIntegerField(default=1)),
                ("seal", models.BinaryField(max_length=36)),
                ("sealed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "verbose_name": "seal of a person or group",
                "verbose_name_plural": "seals of people and groups",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "object_id"), name="authority_seal_once"),
                ],
            },
        ),
        migrations.RunPython(seal_all, migrations.RunPython.noop),
    ]
