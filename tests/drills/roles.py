"""Somebody has the password of the role that the web server and the cluster connect as, and no more than that.

Whatever would remove history, switch a guard off or take more rights is refused by PostgreSQL, while everything that
the product does is done.
"""

from dataclasses import dataclass

import psycopg

from tests.bench.stand import BenchError, Stand
from tests.drills.ground import Drill, Ground, Result, ground

REFUSED = (
    "ALTER TABLE payouts_event DISABLE TRIGGER USER",
    "ALTER TABLE payouts_event DISABLE TRIGGER ALL",
    "SET session_replication_role = replica",
    "DROP TRIGGER event_append_only ON payouts_event",
    "CREATE OR REPLACE FUNCTION payouts_refuse_change() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RETURN OLD; END $$",
    "DELETE FROM payouts_event",
    "DELETE FROM payouts_payout",
    "DELETE FROM payouts_attempt",
    "DELETE FROM payouts_checkpoint",
    "UPDATE payouts_event SET reason = 'better'",
    "UPDATE payouts_approval SET checker_id = 1",
    "UPDATE payouts_historicalapprovalband SET approvals_required = 0",
    "TRUNCATE payouts_event",
    "TRUNCATE payouts_exchange",
    "ALTER TABLE payouts_payout DROP CONSTRAINT payout_amount_positive",
    "DROP TABLE payouts_event",
    "CREATE TABLE ours (id integer)",
    "CREATE TEMPORARY TABLE payouts_payout AS SELECT * FROM payouts_payout",
    "CREATE TRIGGER ours BEFORE INSERT ON payouts_payout FOR EACH ROW EXECUTE FUNCTION payouts_refuse_change()",
    "UPDATE django_migrations SET name = 'x'",
    "SET ROLE payouts_owner",
    "GRANT payouts_owner TO payouts_app",
    "ALTER ROLE payouts_app SUPERUSER",
    "COPY payouts_event TO PROGRAM 'cat'",
)
PAGES = ("/admin/", "/admin/payouts/payout/", "/admin/operations/", "/admin/payouts/accessevent/")


@dataclass(frozen=True)
class Numbers:
    payouts: int


def roles(stand: Stand, numbers: Numbers) -> Result:
    with ground(stand, "roles") as here:
        provider, hands = here.start_provider(), here.start_hands()
        web, port = here.start_web()
        cluster = here.start_cluster(provider)
        hands.do("submit", numbers.payouts)
        held = here.caller(port).submit(amount="2000000.00").json["id"]
        hands.do("decide", "hold", [held])
        operator = here.person(port, "operator")
        pages = {page: operator.get(page).status for page in PAGES}
        here.await_processed(numbers.payouts)
        refused, done = _tried(here)
        here.manage("checkpoint")
        result = Result(
            f"{refused} of {len(REFUSED)} statements refused, {len(done)} done; {numbers.payouts} paid meanwhile by "
            f"the same role; {_migration(here)}"
        )
        result.expect(not done, f"done: {done}")
        result.expect(set(pages.values()) == {200}, f"pages: {pages}")
        for program in (web, cluster.program):
            log = program.log.read_text(errors="replace")
            result.expect("permission denied" not in log, f"{program.name} lacked a right: {log[-2000:]}")
            result.expect("may_too_much" not in log, f"{program.name} may do too much: {log[-2000:]}")
        return here.judge(result, provider)


def _tried(here: Ground) -> tuple[int, list[str]]:
    """How many statements PostgreSQL refused for want of a right, and those that it did not."""
    refused, done = 0, []
    with psycopg.connect(here.services.application, autocommit=True) as connection:
        for statement in REFUSED:
            try:
                connection.execute(statement)
            except psycopg.errors.InsufficientPrivilege:
                refused += 1
            else:
                done.append(statement)
    return refused, done


def _migration(here: Ground) -> str:
    try:
        here.manage("migrate")
    except BenchError as error:
        if "needs the owner of the tables, payouts_owner" in str(error):
            return "migrate refused with a sentence"
        raise
    raise BenchError("The product's role has migrated.")


ROLES = Drill(roles, full=Numbers(payouts=200), small=Numbers(payouts=10))
