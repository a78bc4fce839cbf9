"""What a test commits is undone before the next one, whatever it was."""

import threading

import psycopg
import pytest
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django_q.models import Schedule

from payouts.models import ApprovalBand, Event, Payout
from tests import recipes
from tests.databases import Database, as_owner

pytestmark = pytest.mark.django_db(transaction=True)


def everything() -> dict[str, list[str]]:
    """The text of every row of every table and every sequence, and the triggers, enabled or not."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'S') AND relnamespace = 'public'::regnamespace"
        )
        found = {}
        for (name,) in cursor.fetchall():
            columns = "last_value, is_called" if name.endswith("_seq") else "t.*"
            cursor.execute(f'SELECT ROW({columns})::text FROM "{name}" AS t')
            found[name] = sorted(text for (text,) in cursor.fetchall())
        cursor.execute("SELECT tgname::text || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1")
        found["triggers"] = [text for (text,) in cursor.fetchall()]
    return found


def test_rows_that_were_written_changed_and_deleted_are_as_the_migrations_left_them(database: Database) -> None:
    database.put_back()  # sequences go on in tests that roll back
    before = everything()
    recipes.processed_payout(maker=recipes.person.make())
    Group.objects.get(name="Approver").permissions.clear()
    Group.objects.get(name="Auditor").delete()
    with as_owner():
        ContentType.objects.create(app_label="payouts", model="nothing")
    Schedule.objects.update(minutes=7)
    ApprovalBand.objects.all().delete()
    during = everything()

    database.put_back()

    assert everything() == before
    assert {name for name in before if during[name] != before[name]} >= {
        "auth_group",
        "auth_group_permissions",
        "auth_user",
        "auth_user_id_seq",
        "django_content_type",
        "django_q_schedule",
        "payouts_approvalband",
        "payouts_event",
        "payouts_payout",
        "payouts_payout_id_seq",
    }


def test_the_guards_of_the_database_stand_again(database: Database) -> None:
    recipes.processed_payout()

    database.put_back()

    recipes.processed_payout()
    with pytest.raises(Exception, match="event_only_archived"), as_owner():
        Event.objects.all().delete()


def test_a_changed_schema_is_met_by_a_new_copy(database: Database) -> None:
    database.put_back()  # sequences go on in tests that roll back
    before = everything()
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE payouts_event DISABLE TRIGGER event_append_only")
        cursor.execute("DELETE FROM payouts_approvalband")
        cursor.execute("CREATE TABLE left_behind AS SELECT 1 AS one")

    database.put_back()

    assert everything() == before
    database.put_back()
    assert everything() == before


def test_who_is_left_in_a_transaction_loses_it(database: Database) -> None:
    given = connection.get_connection_params()
    left = psycopg.connect(**{name: given[name] for name in ("dbname", "user", "password", "host", "port")})
    left.execute("SELECT * FROM payouts_payout FOR UPDATE")
    left.execute("INSERT INTO django_q_ormq (key, payload, lock) VALUES ('k', 'x', now())")

    database.put_back()

    with left, pytest.raises(psycopg.OperationalError):
        left.execute("SELECT 1")


def test_a_thread_of_the_test_before_goes_on_with_a_new_connection(database: Database) -> None:
    is_connected, go_on, counts = threading.Event(), threading.Event(), []

    def count() -> None:
        counts.append(User.objects.count())
        is_connected.set()
        go_on.wait(30)
        connection.close_if_unusable_or_obsolete()  # as a request does
        counts.append(Payout.objects.count())
        connection.close()

    thread = threading.Thread(target=count)
    thread.start()
    is_connected.wait(30)
    database.put_back()
    go_on.set()
    thread.join(30)

    assert counts == [0, 0]


def test_what_is_on_an_empty_database_is_what_every_test_begins_with() -> None:
    assert not Payout.objects.exists()
    assert not User.objects.exists()
    assert Group.objects.count() == 4
    assert Schedule.objects.exists()
    assert ApprovalBand.objects.exists()
