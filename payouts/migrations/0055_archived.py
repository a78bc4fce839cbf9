"""Histories of payouts that came to rest long ago, each in one sealed bundle, and the guards around them.

- `archived_is_history`: a bundle's row comes in while it holds exactly the events and exchanges that are there.
- `archived_is_fixed`, `archived_never_deleted`, `archived_never_emptied`: from then on it is the history. It may be
  marked as brought back, once; then it may be taken away, to be archived anew.
- `archived_back_whole`: it is marked as brought back by the statement that puts all of its rows back.
- `event_only_archived`, `exchange_only_archived`: of all events and exchanges those alone may be deleted that such a
  row holds; all of a payout's at once.
- `event_of_archived`, `exchange_of_archived`: none comes beside a bundle, which holds all of them.
- `payout_archived_rests`: the worker never looks at a payout whose history is away.

`event_append_only` goes on refusing every change and TRUNCATE.
"""

import django.db.models.deletion
from django.db import migrations, models

from payouts.migrations._waits import briefly

FUNCTIONS = """
CREATE FUNCTION payouts_refuse_other_history() RETURNS trigger LANGUAGE plpgsql
SET timezone = 'UTC' SET bytea_output = 'hex' AS $$
DECLARE
    history jsonb;
BEGIN
    SELECT jsonb_build_object(
        'events', (SELECT coalesce(jsonb_agg(to_jsonb(e) ORDER BY e.seq), '[]') FROM payouts_event e
                   WHERE e.payout_id = NEW.payout_id),
        'exchanges', (SELECT coalesce(jsonb_agg(to_jsonb(x) ORDER BY a.number, x.call), '[]')
                      FROM payouts_attempt a JOIN payouts_exchange x ON x.attempt_id = a.reference
                      WHERE a.payout_id = NEW.payout_id))
    INTO history;
    IF NEW.digest IS DISTINCT FROM sha256(convert_to(history::text, 'UTF8'))
        OR NEW.events <> jsonb_array_length(history -> 'events')
        OR NEW.exchanges <> jsonb_array_length(history -> 'exchanges')
        OR NEW.back_at IS NOT NULL
        OR NOT EXISTS (SELECT FROM payouts_payout WHERE id = NEW.payout_id AND due_at IS NULL
                       AND status IN ('processed', 'rejected', 'cancelled', 'returned'))
    THEN
        RAISE EXCEPTION 'an archived history is the one that is there: refused by %', TG_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION payouts_refuse_other_archived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.back_at IS NOT NULL OR NEW.back_at IS NULL OR to_jsonb(NEW) - 'back_at' <> to_jsonb(OLD) - 'back_at' THEN
        RAISE EXCEPTION 'an archived history stays as it is: refused by %', TG_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION payouts_refuse_empty_return() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.events <> (SELECT count(*) FROM payouts_event WHERE payout_id = NEW.payout_id)
        OR NEW.exchanges <> (SELECT count(*) FROM payouts_attempt a
                             JOIN payouts_exchange x ON x.attempt_id = a.reference WHERE a.payout_id = NEW.payout_id)
    THEN
        RAISE EXCEPTION 'its rows come back with it: refused by %', TG_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION payouts_refuse_archived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.back_at IS NULL THEN
        RAISE EXCEPTION '% on %: refused by %', TG_OP, TG_TABLE_NAME, TG_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN OLD;
END $$;

CREATE FUNCTION payouts_refuse_lost_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT payout_id, count(*) AS events FROM gone GROUP BY 1) AS g
        LEFT JOIN payouts_archived a ON a.payout_id = g.payout_id AND a.back_at IS NULL
        WHERE a.events IS DISTINCT FROM g.events
    ) THEN
        RAISE EXCEPTION '% on %: refused by %', TG_OP, TG_TABLE_NAME, TG_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION payouts_refuse_lost_exchange() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT t.payout_id, count(*) AS exchanges
                     FROM gone x LEFT JOIN payouts_attempt t ON t.reference = x.attempt_id GROUP BY 1) AS g
        LEFT JOIN payouts_archived a ON a.payout_id = g.payout_id AND a.back_at IS NULL
        WHERE a.exchanges IS DISTINCT FROM g.exchanges
    ) THEN
        RAISE EXCEPTION '% on %: refused by %', TG_OP, TG_TABLE_NAME, TG_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION payouts_refuse_event_beside() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM come e JOIN payouts_archived a ON a.payout_id = e.payout_id WHERE a.back_at IS NULL) THEN
        RAISE EXCEPTION 'the payout is archived: refused by %', TG_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION payouts_refuse_exchange_beside() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM come x JOIN payouts_attempt t ON t.reference = x.attempt_id
               JOIN payouts_archived a ON a.payout_id = t.payout_id WHERE a.back_at IS NULL) THEN
        RAISE EXCEPTION 'the payout is archived: refused by %', TG_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION payouts_refuse_due_archived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM payouts_archived WHERE payout_id = NEW.id AND back_at IS NULL) THEN
        RAISE EXCEPTION 'the payout is archived: refused by %', TG_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
"""
# What is compressed is not worth another try.
STORAGE = "ALTER TABLE payouts_archived ALTER COLUMN bundle SET STORAGE EXTERNAL;"
GUARDS = """
CREATE TRIGGER archived_is_history BEFORE INSERT ON payouts_archived
    FOR EACH ROW EXECUTE FUNCTION payouts_refuse_other_history();
CREATE TRIGGER archived_is_fixed BEFORE UPDATE ON payouts_archived
    FOR EACH ROW EXECUTE FUNCTION payouts_refuse_other_archived();
CREATE TRIGGER archived_back_whole AFTER UPDATE ON payouts_archived
    FOR EACH ROW EXECUTE FUNCTION payouts_refuse_empty_return();
CREATE TRIGGER archived_never_deleted BEFORE DELETE ON payouts_archived
    FOR EACH ROW EXECUTE FUNCTION payouts_refuse_archived();
CREATE TRIGGER archived_never_emptied BEFORE TRUNCATE ON payouts_archived
    FOR EACH STATEMENT EXECUTE FUNCTION payouts_refuse_change();
CREATE TRIGGER event_only_archived AFTER DELETE ON payouts_event REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION payouts_refuse_lost_event();
CREATE TRIGGER event_of_archived AFTER INSERT ON payouts_event REFERENCING NEW TABLE AS come
    FOR EACH STATEMENT EXECUTE FUNCTION payouts_refuse_event_beside();
CREATE TRIGGER exchange_only_archived AFTER DELETE ON payouts_exchange REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION payouts_refuse_lost_exchange();
CREATE TRIGGER exchange_of_archived AFTER INSERT ON payouts_exchange REFERENCING NEW TABLE AS come
    FOR EACH STATEMENT EXECUTE FUNCTION payouts_refuse_exchange_beside();
CREATE TRIGGER payout_archived_rests BEFORE UPDATE ON payouts_payout
    FOR EACH ROW WHEN (OLD.due_at IS NULL AND NEW.due_at IS NOT NULL AND OLD.status <> 'pending')
    EXECUTE FUNCTION payouts_refuse_due_archived();
DROP TRIGGER event_append_only ON payouts_event;
CREATE TRIGGER event_append_only BEFORE UPDATE OR TRUNCATE ON payouts_event
    FOR EACH STATEMENT EXECUTE FUNCTION payouts_refuse_change();
"""
# Fails, as it must, while something is archived.
BACK = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM payouts_archived WHERE back_at IS NULL) THEN
        RAISE EXCEPTION 'payouts are archived: bring them back first (manage.py archive --back)';
    END IF;
END $$;
DROP TRIGGER event_append_only ON payouts_event;
CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payouts_event
    FOR EACH STATEMENT EXECUTE FUNCTION payouts_refuse_change();
DROP TRIGGER payout_archived_rests ON payouts_payout;
DROP TRIGGER exchange_of_archived ON payouts_exchange;
DROP TRIGGER exchange_only_archived ON payouts_exchange;
DROP TRIGGER event_of_archived ON payouts_event;
DROP TRIGGER event_only_archived ON payouts_event;
DROP TRIGGER archived_never_emptied ON payouts_archived;
DROP TRIGGER archived_never_deleted ON payouts_archived;
DROP TRIGGER archived_back_whole ON payouts_archived;
DROP TRIGGER archived_is_fixed ON payouts_archived;
DROP TRIGGER archived_is_history ON payouts_archived;
DROP FUNCTION payouts_refuse_due_archived();
DROP FUNCTION payouts_refuse_exchange_beside();
DROP FUNCTION payouts_refuse_event_beside();
DROP FUNCTION payouts_refuse_lost_exchange();
DROP FUNCTION payouts_refuse_lost_event();
DROP FUNCTION payouts_refuse_archived();
DROP FUNCTION payouts_refuse_empty_return();
DROP FUNCTION payouts_refuse_other_archived();
DROP FUNCTION payouts_refuse_other_history();
"""


class Migration(migrations.Migration):
    dependencies = [("payouts", "0054_batch_forgotten")]

    operations = [
        briefly(),
        migrations.CreateModel(
            name="Archived",
            fields=[
                (
                    "payout",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="payouts.payout",
                        verbose_name="payout",
                    ),
                ),
                ("archived_at", models.DateTimeField(verbose_name="archived at")),
                ("back_at", models.DateTimeField(null=True, verbose_name="brought back at")),
                ("submitted_event", models.BigIntegerField()),
                ("paid_event", models.BigIntegerField(null=True)),
                ("returned_event", models.BigIntegerField(null=True)),
                ("events", models.PositiveIntegerField(verbose_name="events")),
                ("exchanges", models.PositiveIntegerField(verbose_name="exchanges")),
                ("digest", models.BinaryField(max_length=32)),
                ("mac", models.BinaryField(max_length=36)),
                ("bundle", models.BinaryField()),
            ],
            options={
                "verbose_name": "archived payout",
                "verbose_name_plural": "archived payouts",
                "default_permissions": (),
            },
        ),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
        migrations.RunSQL(FUNCTIONS + GUARDS, BACK),
    ]
