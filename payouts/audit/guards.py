"""The database's own guards: each trigger of the migrations is there, switched on, and does what it did."""

import re
from collections.abc import Iterator
from importlib import import_module

from django.db import connection

from payouts.audit.findings import Broken

# What PostgreSQL says of each guard (pg_get_triggerdef), with its schema left out.
GUARDS = {
    "payout_never_deleted": "BEFORE DELETE OR TRUNCATE ON payouts_payout FOR EACH STATEMENT payouts_refuse_change()",
    "event_append_only": "BEFORE UPDATE OR TRUNCATE ON payouts_event FOR EACH STATEMENT payouts_refuse_change()",
    "event_only_archived": (
        "AFTER DELETE ON payouts_event REFERENCING OLD TABLE AS gone FOR EACH STATEMENT payouts_refuse_lost_event()"
    ),
    "event_of_archived": (
        "AFTER INSERT ON payouts_event REFERENCING NEW TABLE AS come FOR EACH STATEMENT payouts_refuse_event_beside()"
    ),
    "exchange_only_archived": (
        "AFTER DELETE ON payouts_exchange REFERENCING OLD TABLE AS gone"
        " FOR EACH STATEMENT payouts_refuse_lost_exchange()"
    ),
    "exchange_of_archived": (
        "AFTER INSERT ON payouts_exchange REFERENCING NEW TABLE AS come"
        " FOR EACH STATEMENT payouts_refuse_exchange_beside()"
    ),
    "archived_is_history": "BEFORE INSERT ON payouts_archived FOR EACH ROW payouts_refuse_other_history()",
    "archived_is_fixed": "BEFORE UPDATE ON payouts_archived FOR EACH ROW payouts_refuse_other_archived()",
    "archived_back_whole": "AFTER UPDATE ON payouts_archived FOR EACH ROW payouts_refuse_empty_return()",
    "archived_never_deleted": "BEFORE DELETE ON payouts_archived FOR EACH ROW payouts_refuse_archived()",
    "archived_never_emptied": "BEFORE TRUNCATE ON payouts_archived FOR EACH STATEMENT payouts_refuse_change()",
    "payout_archived_rests": (
        "BEFORE UPDATE ON payouts_payout FOR EACH ROW WHEN (((old.due_at IS NULL) AND (new.due_at IS NOT NULL)"
        " AND ((old.status)::text <> 'pending'::text))) payouts_refuse_due_archived()"
    ),
    "approval_append_only": (
        "BEFORE DELETE OR UPDATE OR TRUNCATE ON payouts_approval FOR EACH STATEMENT payouts_refuse_change()"
    ),
    "approval_maker_is_not_checker": "BEFORE INSERT ON payouts_approval FOR EACH ROW payouts_refuse_maker()",
    "attempt_never_deleted": (
        "BEFORE DELETE OR TRUNCATE ON payouts_attempt FOR EACH STATEMENT payouts_refuse_change()"
    ),
    "attempt_key_is_fixed": "BEFORE UPDATE ON payouts_attempt FOR EACH ROW payouts_refuse_other_key()",
    "checkpoint_never_deleted": (
        "BEFORE DELETE OR TRUNCATE ON payouts_checkpoint FOR EACH STATEMENT payouts_refuse_change()"
    ),
    "installation_namespace_is_fixed": (
        "BEFORE UPDATE ON payouts_installation FOR EACH ROW payouts_refuse_other_namespace()"
    ),
    "installation_never_deleted": (
        "BEFORE DELETE OR TRUNCATE ON payouts_installation FOR EACH STATEMENT payouts_refuse_change()"
    ),
    "recovery_never_deleted": (
        "BEFORE DELETE OR TRUNCATE ON payouts_recovery FOR EACH STATEMENT payouts_refuse_change()"
    ),
    "unknown_payment_never_deleted": (
        "BEFORE DELETE OR TRUNCATE ON payouts_unknownpayment FOR EACH STATEMENT payouts_refuse_change()"
    ),
    "reconciled_day_never_deleted": (
        "BEFORE DELETE OR TRUNCATE ON payouts_reconciledday FOR EACH STATEMENT payouts_refuse_change()"
    ),
    "configuration_seal_grows": (
        "BEFORE UPDATE ON payouts_configurationseal FOR EACH ROW payouts_refuse_lower_version()"
    ),
    "configuration_seal_never_deleted": (
        "BEFORE DELETE OR TRUNCATE ON payouts_configurationseal FOR EACH STATEMENT payouts_refuse_change()"
    ),
    "proposal_is_fixed": "BEFORE UPDATE ON payouts_proposal FOR EACH ROW payouts_refuse_other_proposal()",
    "proposal_never_deleted": (
        "BEFORE DELETE OR TRUNCATE ON payouts_proposal FOR EACH STATEMENT payouts_refuse_change()"
    ),
    "recipient_key_stays_erased": (
        "BEFORE UPDATE ON payouts_recipientkey FOR EACH ROW payouts_refuse_other_recipient_key()"
    ),
    "recipient_key_never_deleted": (
        "BEFORE DELETE OR TRUNCATE ON payouts_recipientkey FOR EACH STATEMENT payouts_refuse_change()"
    ),
    "band_history_append_only": (
        "BEFORE DELETE OR UPDATE OR TRUNCATE ON payouts_historicalapprovalband"
        " FOR EACH STATEMENT payouts_refuse_change()"
    ),
    "rule_history_append_only": (
        "BEFORE DELETE OR UPDATE OR TRUNCATE ON payouts_historicalreviewrule"
        " FOR EACH STATEMENT payouts_refuse_change()"
    ),
    "limit_history_append_only": (
        "BEFORE DELETE OR UPDATE OR TRUNCATE ON payouts_historicalpayoutlimit"
        " FOR EACH STATEMENT payouts_refuse_change()"
    ),
    "velocity_history_append_only": (
        "BEFORE DELETE OR UPDATE OR TRUNCATE ON payouts_historicalvelocitylimit"
        " FOR EACH STATEMENT payouts_refuse_change()"
    ),
    "route_history_append_only": (
        "BEFORE DELETE OR UPDATE OR TRUNCATE ON payouts_historicalroute FOR EACH STATEMENT payouts_refuse_change()"
    ),
    "client_history_append_only": (
        "BEFORE DELETE OR UPDATE OR TRUNCATE ON payouts_historicalapiclient"
        " FOR EACH STATEMENT payouts_refuse_change()"
    ),
    "key_history_append_only": (
        "BEFORE DELETE OR UPDATE OR TRUNCATE ON payouts_historicalapikey FOR EACH STATEMENT payouts_refuse_change()"
    ),
}
# Their functions must be those of the migrations that made them, the last of each.
GUARDS_SOURCES = tuple(
    f"payouts.migrations.{name}"
    for name in (
        "0002_guards",
        "0004_late_truths",
        "0007_installation",
        "0013_sent_again",
        "0024_sealed_sets",
        "0032_client_seals_filled",
        "0052_erased_stays_erased",
        "0055_archived",
    )
)


def missing_guards() -> Iterator[Broken]:
    source = "".join(import_module(name).FUNCTIONS for name in GUARDS_SOURCES)
    bodies = dict(re.findall(r"CREATE (?:OR REPLACE )?FUNCTION (\w+)\(\).*?AS \$\$(.*?)\$\$", source, re.DOTALL))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT tgname, regexp_replace(pg_get_triggerdef(t.oid), 'ON [^ .]+[.]', 'ON '), proname, prosrc
            FROM pg_trigger t JOIN pg_proc p ON p.oid = tgfoid
            WHERE tgenabled IN ('O', 'A') AND NOT tgisinternal
            """
        )
        found = {
            (name, text.replace("EXECUTE FUNCTION ", "")): (function, body)
            for name, text, function, body in cursor.fetchall()
        }
    for name, text in GUARDS.items():
        there = found.get((name, f"CREATE TRIGGER {name} {text}"))
        if there is None:
            yield Broken(None, "database_guard", f"the trigger {name} is missing or disabled")
        elif there not in bodies.items():
            yield Broken(None, "database_guard", f"the function of the trigger {name} is another one")
