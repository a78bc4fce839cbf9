"""Clients learn from the histories who is close to them, keys' hashes go under INDEX_KEY, and both are sealed.

From here on `approval_maker_is_not_checker` reads who is close from the client's row, and the histories of what is
configured are append-only: `manage.py clean_old_history` cannot take them away. Processes of before do not know the
new hashes: they refuse every key until they are replaced.
"""

from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Min

from payouts import vault
from payouts.migrations._waits import patiently
from payouts.models.stamps import stamp

HISTORIES = {
    "band_history_append_only": "payouts_historicalapprovalband",
    "rule_history_append_only": "payouts_historicalreviewrule",
    "limit_history_append_only": "payouts_historicalpayoutlimit",
    "velocity_history_append_only": "payouts_historicalvelocitylimit",
    "client_history_append_only": "payouts_historicalapiclient",
    "key_history_append_only": "payouts_historicalapikey",
}

FUNCTIONS = """
CREATE OR REPLACE FUNCTION payouts_refuse_maker() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    made_by bigint;
    made_with bigint;
    again_by bigint;
BEGIN
    SELECT maker_id, client_id, sent_again_by_id INTO made_by, made_with, again_by
        FROM payouts_payout WHERE id = NEW.payout_id;
    IF NEW.decision <> 'withdraw' AND (
        NEW.checker_id = made_by
        OR (NEW.decision = 'approve' AND NEW.checker_id = again_by)
        OR EXISTS (SELECT FROM payouts_apiclient WHERE id = made_with AND (
                owner_id = NEW.checker_id
                OR jsonb_exists(ties->'owners', NEW.checker_id::text)
                OR jsonb_exists(ties->'handlers', NEW.checker_id::text)))
    ) THEN
        RAISE EXCEPTION 'whoever made a payout, or could have, may not check it: refused by %', TG_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
"""
GUARDS = "".join(
    f"CREATE TRIGGER {name} BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
    " FOR EACH STATEMENT EXECUTE FUNCTION payouts_refuse_change();\n"
    for name, table in HISTORIES.items()
)
NO_GUARDS = "".join(f"DROP TRIGGER {name} ON {table};\n" for name, table in HISTORIES.items())


def fill(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    client_model, key_model = apps.get_model("payouts", "ApiClient"), apps.get_model("payouts", "ApiKey")
    owned = apps.get_model("payouts", "HistoricalApiClient").objects.filter(owner__isnull=False)
    handled = apps.get_model("payouts", "HistoricalApiKey").objects.filter(history_user__isnull=False)
    for client in client_model.objects.order_by("pk"):
        client.ties = {
            "owners": _since(owned.filter(id=client.pk).values_list("owner_id")),
            "handlers": _since(handled.filter(client_id=client.pk).values_list("history_user_id")),
        }
        if client.owner_id:
            client.ties["owners"].setdefault(str(client.owner_id), stamp(client.created_at))
        ties = vault.canonical(client.ties).decode()
        client.facts_seal = vault.seal("client", client.pk, client.name, client.owner_id, ties)
        client.save(update_fields=["ties", "facts_seal"])
    for key in key_model.objects.order_by("pk"):
        key.secret_hash = vault.fingerprint("api-key", bytes(key.secret_hash).hex())
        key.facts_seal = vault.seal(
            "api-key",
            key.pk,
            key.client_id,
            key.prefix,
            key.secret_hash.hex(),
            sorted(key.scopes),
            stamp(key.created_at),
            stamp(key.expires_at),
            stamp(key.revoked_at),
        )
        key.save(update_fields=["secret_hash", "facts_seal"])


def _since(people: Any) -> dict[str, str | None]:
    """By a person's id, the first date that the history has of them."""
    return {str(person): stamp(at) for person, at in people.annotate(at=Min("history_date")).order_by()}


class Migration(migrations.Migration):
    dependencies = [("payouts", "0031_client_seals")]

    operations = [
        patiently(),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunSQL(FUNCTIONS, migrations.RunSQL.noop),
        migrations.RunSQL(GUARDS, NO_GUARDS),
    ]
