"""Room for late truths: a failed payout may be looked at again, and what was refused may turn out to have been paid.

An attempt's key, account and number stay as they are, and its outcome but for that one correction. The columns have
defaults in the database, so that the code that runs beside this migration can go on.
"""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

from payouts.migrations._waits import briefly

FUNCTIONS = """
CREATE OR REPLACE FUNCTION payouts_refuse_other_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.reference, NEW.payout_id, NEW.number, NEW.provider, NEW.account, NEW.created_at)
        IS DISTINCT FROM (OLD.reference, OLD.payout_id, OLD.number, OLD.provider, OLD.account, OLD.created_at)
        OR NEW.calls < OLD.calls
        OR (OLD.outcome = 'refused' AND NEW.outcome NOT IN ('refused', 'succeeded'))
        OR (OLD.outcome = 'succeeded' AND NEW.outcome <> 'succeeded')
    THEN
        RAISE EXCEPTION 'an attempt keeps its key, its calls and its outcome: refused by %', TG_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
"""

BACK = """
CREATE OR REPLACE FUNCTION payouts_refuse_other_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.reference, NEW.payout_id, NEW.number, NEW.provider, NEW.created_at)
        IS DISTINCT FROM (OLD.reference, OLD.payout_id, OLD.number, OLD.provider, OLD.created_at)
        OR NEW.calls < OLD.calls
        OR (OLD.outcome <> 'open' AND NEW.outcome <> OLD.outcome)
    THEN
        RAISE EXCEPTION 'an attempt keeps its key, its calls and its outcome: refused by %', TG_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
"""

WATCHED = ("pending", "processing", "unknown", "processed", "failed")


class Migration(migrations.Migration):
    dependencies = [("payouts", "0003_defaults")]

    operations = [
        briefly(),
        migrations.AddField(
            "attempt",
            "account",
            models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="A fingerprint of the provider's account that it was sent to.",
                max_length=16,
                verbose_name="account",
            ),
        ),
        migrations.AddField(
            "payout",
            "lease_holder",
            models.CharField(db_default="", default="", editable=False, max_length=80),
        ),
        migrations.RunSQL(FUNCTIONS, BACK),
        migrations.RemoveConstraint("payout", "payout_due_is_watched"),
        AddConstraintNotValid(
            "payout",
            models.CheckConstraint(
                condition=models.Q(due_at=None) | models.Q(status__in=WATCHED, attention=""),
                name="payout_due_is_watched",
            ),
        ),
        migrations.RemoveConstraint("payout", "payout_lease_ends"),
        AddConstraintNotValid(
            "payout",
            models.CheckConstraint(
                condition=models.Q(lease_token=None) | models.Q(due_at__isnull=False, status__in=WATCHED[1:]),
                name="payout_lease_ends",
            ),
        ),
    ]
