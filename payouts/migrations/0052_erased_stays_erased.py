"""A recipient's key stays that recipient's; what was erased stays erased, and says by whom; no key is deleted."""

from django.db import migrations

from payouts.migrations._waits import briefly

FUNCTIONS = """
CREATE FUNCTION payouts_refuse_other_recipient_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.recipient_index, NEW.number, NEW.made_at) IS DISTINCT FROM (OLD.recipient_index, OLD.number, OLD.made_at)
        OR (OLD.erased_at IS NOT NULL AND
            (NEW.wrapped, NEW.erased_at, NEW.proposed_by_id, NEW.confirmed_by_id, NEW.on_server, NEW.reason)
            IS DISTINCT FROM
            (OLD.wrapped, OLD.erased_at, OLD.proposed_by_id, OLD.confirmed_by_id, OLD.on_server, OLD.reason))
    THEN
        RAISE EXCEPTION 'a key stays its recipient''s, and what was erased stays erased: refused by %', TG_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER recipient_key_stays_erased BEFORE UPDATE ON payouts_recipientkey
    FOR EACH ROW EXECUTE FUNCTION payouts_refuse_other_recipient_key();
CREATE TRIGGER recipient_key_never_deleted BEFORE DELETE OR TRUNCATE ON payouts_recipientkey
    FOR EACH STATEMENT EXECUTE FUNCTION payouts_refuse_change();
"""

BACK = """
DROP TRIGGER recipient_key_never_deleted ON payouts_recipientkey;
DROP TRIGGER recipient_key_stays_erased ON payouts_recipientkey;
DROP FUNCTION payouts_refuse_other_recipient_key();
"""


class Migration(migrations.Migration):
    dependencies = [("payouts", "0051_recipient_keys")]

    operations = [briefly(), migrations.RunSQL(FUNCTIONS, BACK)]
