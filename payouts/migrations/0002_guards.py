"""What a constraint cannot say: history is append-only, nothing is deleted, and nobody checks what they made.

- `event_append_only`, `approval_append_only`: history that can be altered proves nothing.
- `payout_never_deleted`, `attempt_never_deleted`: a payment that we do not know could be made again.
- `attempt_key_is_fixed`: another key at the provider would be another payment.
- `approval_maker_is_not_checker`: payouts.rules says who is too close to a payout to check it; a decision that only
  withdraws is never refused.

The errors carry the trigger's name as a constraint's, like those of the other constraints.
"""

from django.db import migrations

FUNCTIONS = """
CREATE FUNCTION payouts_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on %: refused by %', TG_OP, TG_TABLE_NAME, TG_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
END $$;

CREATE FUNCTION payouts_refuse_maker() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE FUNCTION payouts_refuse_other_key() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payouts_event
    FOR EACH STATEMENT EXECUTE FUNCTION payouts_refuse_change();
CREATE TRIGGER approval_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payouts_approval
    FOR EACH STATEMENT EXECUTE FUNCTION payouts_refuse_change();
CREATE TRIGGER approval_maker_is_not_checker BEFORE INSERT ON payouts_approval
    FOR EACH ROW EXECUTE FUNCTION payouts_refuse_maker();
CREATE TRIGGER payout_never_deleted BEFORE DELETE OR TRUNCATE ON payouts_payout
    FOR EACH STATEMENT EXECUTE FUNCTION payouts_refuse_change();
CREATE TRIGGER attempt_key_is_fixed BEFORE UPDATE ON payouts_attempt
    FOR EACH ROW EXECUTE FUNCTION payouts_refuse_other_key();
CREATE TRIGGER attempt_never_deleted BEFORE DELETE OR TRUNCATE ON payouts_attempt
    FOR EACH STATEMENT EXECUTE FUNCTION payouts_refuse_change();
"""

BACK = """
DROP TRIGGER attempt_never_deleted ON payouts_attempt;
DROP TRIGGER attempt_key_is_fixed ON payouts_attempt;
DROP TRIGGER payout_never_deleted ON payouts_payout;
DROP TRIGGER approval_maker_is_not_checker ON payouts_approval;
DROP TRIGGER approval_append_only ON payouts_approval;
DROP TRIGGER event_append_only ON payouts_event;
DROP FUNCTION payouts_refuse_other_key();
DROP FUNCTION payouts_refuse_maker();
DROP FUNCTION payouts_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("payouts", "0001_initial")]

    operations = [migrations.RunSQL(FUNCTIONS, BACK)]
