"""What the product's own role may do to each table, and no more.

Two roles of PostgreSQL: `payouts_owner` owns everything and migrates, `payouts_app` is what the web server, the
cluster and every other command connect as. It cannot switch a trigger off, and cannot delete what is never deleted.
The roles are made once, by deploy/sql/roles.sql; `migrate` gives the rights after each run, because only it knows
which tables are new, and default privileges cannot tell a table of events from a table of sessions.

A row lock (FOR UPDATE, FOR SHARE) needs the right to update.
"""

from typing import NamedTuple

import structlog
from django.conf import settings
from django.db import OperationalError, connection

log = structlog.get_logger(__name__)

# As deploy/sql/roles.sql makes them.
OWNER, APP = "payouts_owner", "payouts_app"

READ = frozenset({"SELECT"})
APPEND = READ | {"INSERT"}
KEEP = APPEND | {"UPDATE"}
LOG = APPEND | {"DELETE"}
ALL = KEEP | {"DELETE"}
# What the product needs nowhere.
NEVER = frozenset({"TRUNCATE", "REFERENCES", "TRIGGER"})

RIGHTS: dict[str, frozenset[str]] = {
    # Written by migrations alone.
    **dict.fromkeys(("django_migrations", "django_content_type", "auth_permission"), READ),
    # Kept by nobody: AXES_DISABLE_ACCESS_LOG.
    **dict.fromkeys(("axes_accesslog", "axes_accessfailurelog"), READ),
    # What happened: written once.
    **dict.fromkeys(
        (
            "django_admin_log",
            "payouts_approval",
            "payouts_event",
            "payouts_historicalapiclient",
            "payouts_historicalapikey",
            "payouts_historicalapprovalband",
            "payouts_historicalpayoutlimit",
            "payouts_historicalreviewrule",
            "payouts_historicalroute",
            "payouts_historicalvelocitylimit",
        ),
        APPEND,
    ),
    # Never deleted.
    **dict.fromkeys(
        (
            "auth_user",
            "payouts_apiclient",
            "payouts_apikey",
            "payouts_attempt",
            "payouts_auditrun",
            "payouts_batch",
            "payouts_batchrow",
            "payouts_breaker",
            "payouts_bulkdecision",
            "payouts_bulkitem",
            "payouts_checkpoint",
            "payouts_configurationseal",
            "payouts_confirmation",
            "payouts_dailytotal",
            "payouts_exchange",
            "payouts_export",
            "payouts_figuresource",
            "payouts_figuretotal",
            "payouts_installation",
            "payouts_keymark",
            "payouts_keyrotation",
            "payouts_payout",
            "payouts_proposal",
            "payouts_providerpause",
            "payouts_providerreport",
            "payouts_recipientkey",
            "payouts_reconciledday",
            "payouts_recovery",
            "payouts_reportline",
            "payouts_unknownpayment",
            "payouts_wrongaccount",
        ),
        KEEP,
    ),
    # Written by `manage.py archive` as the owner; the product only says that one was brought back.
    "payouts_archived": READ | {"UPDATE"},
    # Written once, and deleted when its time is over.
    "payouts_accessevent": LOG,
    # Deleted when they are over, or when a person takes them away.
    **dict.fromkeys(
        (
            "auth_group",
            "auth_group_permissions",
            "auth_user_groups",
            "auth_user_user_permissions",
            "axes_accessattempt",
            "axes_accessattemptexpiration",
            "django_q_ormq",
            "django_q_schedule",
            "django_q_task",
            "django_session",
            "otp_static_staticdevice",
            "otp_static_statictoken",
            "otp_totp_totpdevice",
            "payouts_accountbalance",
            "payouts_approvalband",
            "payouts_authorityseal",
            "payouts_backup",
            "payouts_bank",
            "payouts_exportchunk",
            "payouts_heartbeat",
            "payouts_minutesample",
            "payouts_passkey",
            "payouts_passwordlink",
            "payouts_payoutlimit",
            "payouts_reviewrule",
            "payouts_route",
            "payouts_savedview",
            "payouts_singlesignon",
            "payouts_staffsession",
            "payouts_submittedsum",
            "payouts_unsignednews",
            "payouts_velocitylimit",
            "payouts_velocityuse",
            "payouts_webhookmessage",
        ),
        ALL,
    ),
}

# Of each table: its owner, whether the role is or can become that, and which of these rights the role has.
TABLES = """
SELECT relname, relowner::regrole::text, pg_has_role(role.name, relowner, 'MEMBER'),
       ARRAY(SELECT p FROM unnest(%s::text[]) AS p WHERE has_table_privilege(role.name, c.oid, p))
FROM pg_class AS c, (SELECT coalesce(%s, current_user)::name) AS role (name)
WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace ORDER BY relname
"""
ROLE = """
SELECT rolname, has_schema_privilege('public', 'CREATE'), has_database_privilege(current_database(), 'TEMPORARY'),
       ARRAY(SELECT attribute FROM (VALUES ('SUPERUSER', rolsuper), ('CREATEROLE', rolcreaterole),
             ('CREATEDB', rolcreatedb), ('BYPASSRLS', rolbypassrls), ('REPLICATION', rolreplication))
             AS of_role (attribute, has) WHERE has),
       EXISTS (SELECT FROM pg_roles WHERE rolname = %s)
FROM pg_roles WHERE rolname = current_user
"""
# PUBLIC has that right to each new database, and only its owner can take it.
TEMPORARY = """
SELECT quote_ident(datname) FROM pg_database
WHERE datname = current_database() AND pg_has_role(datdba, 'MEMBER')
AND has_database_privilege(%s, datname, 'TEMPORARY')
"""
SEQUENCES = """
SELECT relname FROM pg_sequence JOIN pg_class ON pg_class.oid = seqrelid
WHERE relnamespace = 'public'::regnamespace AND NOT has_sequence_privilege(%s, seqrelid, 'USAGE')
"""


class Table(NamedTuple):
    name: str
    owner: str
    is_owned: bool
    """The role owns it, or can become its owner."""
    rights: frozenset[str]


class Role(NamedTuple):
    name: str
    may_create: bool
    may_hide: bool
    """It may make temporary tables. One that has a table's name hides it from what triggers ask."""
    attributes: list[str]
    has_app: bool
    """There is a role `payouts_app`."""


def grant(**_kwargs: object) -> None:
    """Give `payouts_app` what RIGHTS says and take all else; nothing where there is no such role.

    A table that is not in RIGHTS it may only read. Call it as the owner of the tables.
    """
    role = _role()
    if not role.has_app or role.name == APP:
        return
    statements = []
    for table in _tables(APP):
        wanted, name = RIGHTS.get(table.name, READ), connection.ops.quote_name(table.name)
        if more := table.rights - wanted:
            statements.append(f"REVOKE {', '.join(sorted(more))} ON {name} FROM {APP}")
        if missing := wanted - table.rights:
            statements.append(f"GRANT {', '.join(sorted(missing))} ON {name} TO {APP}")
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_schema_privilege(%s, 'public', 'USAGE')", [APP])
        if cursor.fetchone() != (True,):
            statements.append(f"GRANT USAGE ON SCHEMA public TO {APP}")
        cursor.execute(TEMPORARY, [APP])
        statements += [f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC, {APP}" for (name,) in cursor.fetchall()]
        cursor.execute(SEQUENCES, [APP])
        names = [connection.ops.quote_name(name) for (name,) in cursor.fetchall()]
        statements += [f"GRANT USAGE, SELECT ON SEQUENCE {name} TO {APP}" for name in names]
        for statement in statements:
            cursor.execute(statement)


def why_lacking() -> str:
    """Why this role cannot do its work; empty where it can, or while the database does not answer."""
    try:
        found = {table.name: table.rights for table in _tables()}
    except OperationalError:
        return ""
    lacking = [
        f"{', '.join(sorted(missing))} on {name}"
        for name, wanted in RIGHTS.items()
        if name in found and (missing := wanted - found[name])
    ]
    if not lacking:
        return ""
    return (
        f"The role of DATABASE_URL lacks rights that the product needs, such as {lacking[0]}: run "
        f"`manage.py migrate` as the owner of the tables, which gives them to {APP} (docs/roles.md)."
    )


def excess() -> str:
    """What the connected role may do that the product does not need, as a sentence; empty where that is nothing."""
    role, tables = _role(), _tables()
    found = [f"has {attribute}" for attribute in role.attributes]
    if role.may_create:
        found.append("may create tables")
    if owned := [table for table in tables if table.is_owned]:
        found.append(f"owns {len(owned)} tables, and can switch their triggers off")
    if role.may_hide:
        found.append("may make temporary tables, which hide ours from triggers")
    found += [
        f"may {', '.join(sorted(more))} on {table.name}"
        for table in tables
        if not table.is_owned and (more := table.rights - RIGHTS.get(table.name, READ))
    ]
    if not found:
        return ""
    return (
        f"The database role {role.name} may do more than the product needs: it {'; '.join(found[:4])}. "
        f"Connect as {APP}; docs/roles.md says how to get there."
    )


def warn() -> None:
    """Say so in the log where the connected role may do more than the product needs."""
    if text := excess():
        log.warning("database_role_may_too_much", reason=text)


def why_not_migrate() -> str:
    """Why this process must not migrate, in a sentence that says what to do; empty where it may.

    Raises OperationalError while the database does not answer.
    """
    if settings.DATABASE_POOLER:
        return (
            "Migrations need sessions of their own, which a pooler does not give: run `manage.py migrate` with a "
            "DATABASE_URL that leads to PostgreSQL itself, and without DATABASE_POOLER."
        )
    return why_not_owner()


def why_not_owner() -> str:
    """Why this process has not the rights of the tables' owner, as a sentence; empty where it has.

    Raises OperationalError while the database does not answer.
    """
    role = _role()
    others = [table.owner for table in _tables() if not table.is_owned]
    if role.may_create and not others:
        return ""
    owner = others[0] if others else OWNER
    return f"This needs the owner of the tables, {owner}, and DATABASE_URL names {role.name}."


def _role() -> Role:
    with connection.cursor() as cursor:
        cursor.execute(ROLE, [APP])
        return Role(*cursor.fetchone())


def _tables(role: str | None = None) -> list[Table]:
    """With the rights of this role, or of the connected one."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES, [sorted(ALL | NEVER), role])
        return [Table(name, owner, owned, frozenset(rights)) for name, owner, owned, rights in cursor.fetchall()]
