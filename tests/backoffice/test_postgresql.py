"""A connection that the server has closed, or on which it no longer writes, is replaced before a request meets it."""

import pytest
from django.db import OperationalError, connection, connections

from tests.databases import as_owner


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_server_closed_is_noticed_without_asking_it():
    other = connections.create_connection("default")
    other.ensure_connection()
    assert other.is_usable()
    process_id = other.connection.info.backend_pid

    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [process_id])

    assert not other.is_usable()
    other.close()
    assert not other.is_usable()


@pytest.mark.django_db(transaction=True)
def test_the_next_request_gets_a_new_connection():
    connection.ensure_connection()
    process_id = connection.connection.info.backend_pid
    other = connections.create_connection("default")
    with other.cursor() as cursor:
        cursor.execute("SET ROLE NONE")
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [process_id])
    other.close()

    connection.close_if_unusable_or_obsolete()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")

    assert connection.connection.info.backend_pid != process_id


@pytest.mark.django_db(transaction=True)
def test_a_server_that_refuses_to_write_is_away_and_the_next_request_connects_anew():
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    process_id = connection.connection.info.backend_pid

    with connection.cursor() as cursor, pytest.raises(OperationalError, match="read-only"):
        cursor.execute("UPDATE payouts_payout SET due_at = NULL")
    connection.close_if_unusable_or_obsolete()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE payouts_payout SET due_at = NULL")

    assert connection.connection.info.backend_pid != process_id
