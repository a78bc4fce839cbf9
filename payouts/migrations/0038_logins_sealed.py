"""People's seals say which second factors they have, so that one which was taken away opens nothing when put back.

Who has one is sealed anew, where the seal fits what is there. Back-office processes of before do not know the new
seals: they let these people in again when they are replaced.
"""

from typing import Any

from django.db import migrations

from payouts import vault
from payouts.migrations._waits import patiently


def seal_logins(apps: Any, _schema_editor: Any) -> None:
    """As payouts.staff.authority does."""
    seals = apps.get_model("payouts", "AuthoritySeal").objects
    passkeys, links = apps.get_model("payouts", "Passkey").objects, apps.get_model("payouts", "SingleSignOn").objects
    apps_of_codes, backups = apps.get_model("otp_totp", "TOTPDevice"), apps.get_model("otp_static", "StaticDevice")
    for person in apps.get_model("auth", "User").objects.order_by("pk").iterator(chunk_size=500):
        logins = [
            *(f"payouts_passkey {row.pk}" for row in passkeys.filter(user_id=person.pk)),
            *(f"payouts_singlesignon {row.pk}" for row in links.filter(user_id=person.pk)),
            *(f"otp_static_staticdevice {row.pk}" for row in backups.objects.filter(user_id=person.pk)),
            *(
                f"otp_totp_totpdevice {row.pk} {vault.digest(row.key).hex()[:16]}"
                for row in apps_of_codes.objects.filter(user_id=person.pk)
            ),
        ]
        found = seals.filter(kind="person", object_id=person.pk).first()
        if not logins or found is None:
            continue
        permissions = person.user_permissions.values_list("content_type__app_label", "codename")
        parts = (
            *(person.pk, person.username, person.password),
            *(person.is_active, person.is_staff, person.is_superuser),
            sorted(person.groups.values_list("pk", flat=True)),
            sorted(f"{app}.{codename}" for app, codename in permissions),
        )
        before = bytes(found.seal)
        if vault.seal("authority", "person", found.version, *parts, like=before) != before:
            continue
        found.version += 1
        found.seal = vault.seal("authority", "person", found.version, *parts, sorted(logins))
        found.save(update_fields=["version", "seal"])


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0037_reveals"),
        ("otp_totp", "0003_add_timestamps"),
        ("otp_static", "0003_add_timestamps"),
    ]

    operations = [patiently(), migrations.RunPython(seal_logins, migrations.RunPython.noop)]
