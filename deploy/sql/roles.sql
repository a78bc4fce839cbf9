-- The two roles of the product, and what an existing installation needs to move over to them.
--
-- Run it as an administrator, connected to the product's own database, as often as you like:
--
--     psql --single-transaction --set ON_ERROR_STOP=1 --file deploy/sql/roles.sql "$ADMIN_URL"
--
-- Then give both a password (\password payouts_owner, \password payouts_app), and run `manage.py migrate` as
-- payouts_owner, which gives payouts_app its rights to each table: docs/roles.md. Nothing here needs a superuser; an
-- administrator with CREATEROLE and CREATEDB who owns what there is, or is a member of who does, is enough.
--
-- Statements are separated by empty lines, and have none inside: `make run` reads this file too.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'payouts_owner') THEN
        CREATE ROLE payouts_owner LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'payouts_app') THEN
        CREATE ROLE payouts_app LOGIN;
    END IF;
END $$;

-- Behind a pooler no session can ask for these, so the role has them. Elsewhere each process asks for its own.

ALTER ROLE payouts_app SET statement_timeout = '30s';

ALTER ROLE payouts_app SET lock_timeout = '5s';

ALTER ROLE payouts_app SET idle_in_transaction_session_timeout = '60s';

ALTER ROLE payouts_app SET synchronous_commit = 'on';

ALTER ROLE payouts_app SET timezone = 'UTC';

-- Whoever migrates or restores may have to end the product's sessions.

GRANT payouts_app TO payouts_owner;

-- Whoever gives things to another role must be able to become it.

DO $$
BEGIN
    IF NOT pg_has_role('payouts_owner', 'MEMBER') THEN
        EXECUTE format('GRANT payouts_owner TO %I', current_user);
    END IF;
END $$;

-- Everything in the schema public is payouts_owner's: the database first, because in it lie the right to make tables.

DO $$
DECLARE
    each record;
BEGIN
    IF (SELECT datdba <> 'payouts_owner'::regrole FROM pg_database WHERE datname = current_database()) THEN
        EXECUTE format('ALTER DATABASE %I OWNER TO payouts_owner', current_database());
    END IF;
    GRANT USAGE, CREATE ON SCHEMA public TO payouts_owner;
    GRANT USAGE ON SCHEMA public TO payouts_app;
    REVOKE CREATE ON SCHEMA public FROM PUBLIC, payouts_app;
    FOR each IN
        SELECT c.oid::regclass AS name,
               CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind
        FROM pg_class AS c
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'S')
        AND relowner <> 'payouts_owner'::regrole
        AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype IN ('a', 'i', 'e'))
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO payouts_owner', each.kind, each.name);
    END LOOP;
    FOR each IN
        SELECT p.oid::regprocedure AS name FROM pg_proc AS p
        WHERE pronamespace = 'public'::regnamespace AND proowner <> 'payouts_owner'::regrole
        AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO payouts_owner', each.name);
    END LOOP;
END $$;
