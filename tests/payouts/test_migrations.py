"""The linter of migrations sees what would block or break the code that runs beside one."""

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import connection, models
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader

from payouts.migrations._waits import concurrently
from tests.lint_migrations import findings, migrations

BRIEFLY = "BEGIN; SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '10s'; {} COMMIT;"
TABLE = 'ALTER TABLE "payouts_payout"'


@pytest.mark.parametrize(
    ("rule", "sql"),
    [
        ("require-lock-timeout", f'BEGIN; {TABLE} ADD COLUMN "x" bigint NULL; COMMIT;'),
        ("require-statement-timeout", f'BEGIN; {TABLE} ADD COLUMN "x" bigint NULL; COMMIT;'),
        ("require-concurrent-index-creation", BRIEFLY.format('CREATE INDEX "i" ON "payouts_payout" ("due_at");')),
        ("constraint-missing-not-valid", BRIEFLY.format(f'{TABLE} ADD CONSTRAINT "c" CHECK ("id" > 0);')),
        (
            "constraint-missing-not-valid",
            BRIEFLY.format(
                f'{TABLE} ADD CONSTRAINT "c" CHECK ("id" > 0) NOT VALID; {TABLE} VALIDATE CONSTRAINT "c";'
            ),
        ),
        ("adding-required-field", BRIEFLY.format(f'{TABLE} ADD COLUMN "x" bigint NOT NULL;')),
        ("adding-not-nullable-field", BRIEFLY.format(f'{TABLE} ALTER COLUMN "x" SET NOT NULL;')),
        ("ban-drop-column", BRIEFLY.format(f'{TABLE} DROP COLUMN "x";')),
        ("renaming-column", BRIEFLY.format(f'{TABLE} RENAME COLUMN "x" TO "y";')),
    ],
)
def test_the_linter_names_what_blocks_or_breaks(rule: str, sql: str) -> None:
    assert f" {rule} " in findings("bad", sql)


@pytest.mark.django_db(transaction=True)  # concurrent builds refuse to be written inside one
def test_every_migration_is_one_that_old_code_survives() -> None:
    assert {name: findings(name, sql) for name, sql in migrations() if findings(name, sql)} == {}


@pytest.mark.django_db
def test_no_migration_leaves_its_waits_behind() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
        assert cursor.fetchone() == ("10s", "30s")


@pytest.mark.django_db(transaction=True)
def test_an_index_that_a_build_left_behind_when_it_was_broken_off_is_built_anew() -> None:
    index = models.Index(fields=["updated_at"], name="payout_by_update")
    building = Migration("payout_by_update", "payouts")
    building.operations = concurrently(AddIndexConcurrently("payout", index))
    building.atomic = False
    state = MigrationLoader(connection).project_state()

    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE")  # no transaction may be around it
    for _each in range(2):  # the first leaves it there, as a build that was broken off does
        with connection.schema_editor(atomic=False) as editor:
            building.apply(state.clone(), editor)

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_index WHERE indexrelid = 'payout_by_update'::regclass AND indisvalid")
        assert cursor.fetchone() == (1,)
        cursor.execute("DROP INDEX payout_by_update")
        cursor.execute("RESET ROLE")
