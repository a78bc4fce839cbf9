"""Who sent a failed payout again although a newer one looks like it: that person does not approve it.

The foreign key is checked for new rows at once, and for all by the migration after this one.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from payouts.migrations._waits import briefly

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
        OR EXISTS (SELECT FROM payouts_apiclient WHERE id = made_with AND owner_id = NEW.checker_id)
        OR EXISTS (SELECT FROM payouts_historicalapiclient WHERE id = made_with AND owner_id = NEW.checker_id)
        OR EXISTS (SELECT FROM payouts_historicalapikey
                   WHERE client_id = made_with AND history_user_id = NEW.checker_id)
    ) THEN
        RAISE EXCEPTION 'whoever made a payout, or could have, may not check it: refused by %', TG_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
"""

BACK = """
CREATE OR REPLACE FUNCTION payouts_refuse_maker() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    made_by bigint;
    made_with bigint;
BEGIN
    SELECT maker_id, client_id INTO made_by, made_with FROM payouts_payout WHERE id = NEW.payout_id;
    IF NEW.decision <> 'withdraw' AND (
        NEW.checker_id = made_by
        OR EXISTS (SELECT FROM payouts_apiclient WHERE id = made_with AND owner_id = NEW.checker_id)
        OR EXISTS (SELECT FROM payouts_historicalapiclient WHERE id = made_with AND owner_id = NEW.checker_id)
        OR EXISTS (SELECT FROM payouts_historicalapikey
                   WHERE client_id = made_with AND history_user_id = NEW.checker_id)
    ) THEN
        RAISE EXCEPTION 'whoever made a payout, or could have, may not check it: refused by %', TG_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
"""

ADD = """
ALTER TABLE payouts_payout ADD COLUMN sent_again_by_id integer NULL;
ALTER TABLE payouts_payout ADD CONSTRAINT payout_sent_again_by_a_person
    FOREIGN KEY (sent_again_by_id) REFERENCES auth_user (id) DEFERRABLE INITIALLY DEFERRED NOT VALID;
"""
REMOVE = "ALTER TABLE payouts_payout DROP COLUMN sent_again_by_id;"


class Migration(migrations.Migration):
    dependencies = [("payouts", "0012_unfit_clusters"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        briefly(),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(ADD, REMOVE)],
            state_operations=[
                migrations.AddField(
                    "payout",
                    "sent_again_by",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="sent again by",
                    ),
                )
            ],
        ),
        migrations.RunSQL(FUNCTIONS, BACK),
    ]
