"""Seals of what is configured. They are made after the migration: payouts/models/sealed_sets.py.

Triggers hold that a set's version only grows, and that a seal is never deleted, a proposal never changed or decided
twice. What SQL could do while they are off, the audit names.
"""

from django.db import migrations, models

from payouts.migrations._waits import briefly

FUNCTIONS = """
CREATE FUNCTION payouts_refuse_lower_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.name <> OLD.name OR NEW.version < OLD.version THEN
        RAISE EXCEPTION 'a version of the configuration only grows: refused by %', TG_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION payouts_refuse_other_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.subject, NEW.object_id, NEW.act, NEW.title, NEW.before, NEW.after, NEW.reason,
        NEW.proposed_by_id, NEW.proposed_at, NEW.expires_at)
        IS DISTINCT FROM (OLD.id, OLD.subject, OLD.object_id, OLD.act, OLD.title, OLD.before, OLD.after, OLD.reason,
        OLD.proposed_by_id, OLD.proposed_at, OLD.expires_at)
        OR (OLD.decision <> '' AND (NEW.decision, NEW.decided_by_id, NEW.decided_at, NEW.on_server)
            IS DISTINCT FROM (OLD.decision, OLD.decided_by_id, OLD.decided_at, OLD.on_server))
    THEN
        RAISE EXCEPTION 'what was proposed stays, and is decided once: refused by %', TG_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER configuration_seal_grows BEFORE UPDATE ON payouts_configurationseal
    FOR EACH ROW EXECUTE FUNCTION payouts_refuse_lower_version();
CREATE TRIGGER configuration_seal_never_deleted BEFORE DELETE OR TRUNCATE ON payouts_configurationseal
    FOR EACH STATEMENT EXECUTE FUNCTION payouts_refuse_change();
CREATE TRIGGER proposal_is_fixed BEFORE UPDATE ON payouts_proposal
    FOR EACH ROW EXECUTE FUNCTION payouts_refuse_other_proposal();
CREATE TRIGGER proposal_never_deleted BEFORE DELETE OR TRUNCATE ON payouts_proposal
    FOR EACH STATEMENT EXECUTE FUNCTION payouts_refuse_change();
"""

BACK = """
DROP TRIGGER proposal_never_deleted ON payouts_proposal;
DROP TRIGGER proposal_is_fixed ON payouts_proposal;
DROP TRIGGER configuration_seal_never_deleted ON payouts_configurationseal;
DROP TRIGGER configuration_seal_grows ON payouts_configurationseal;
DROP FUNCTION payouts_refuse_other_proposal();
DROP FUNCTION payouts_refuse_lower_version();
"""


class Migration(migrations.Migration):
    dependencies = [("payouts", "0023_authority")]

    operations = [
        briefly(),
        migrations.CreateModel(
            name="ConfigurationSeal",
            fields=[
                ("name", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("version", models.BigIntegerField()),
                ("facts_seal", models.BinaryField(max_length=36)),
            ],
            options={
                "verbose_name": "seal of the configuration",
                "verbose_name_plural": "seals of the configuration",
                "default_permissions": (),
            },
        ),
        migrations.RunSQL(FUNCTIONS, BACK),
    ]
