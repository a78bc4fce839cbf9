"""A connection that the server has closed is replaced before a request meets it."""

import pytest
from django.db import connection, connections


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_server_closed_is_noticed_without_asking_it():
    other = connections.create_connection("default")
    other.ensure_connection()
    assert other.is_usable()
    process_id = other.connection.info.backend_pid

    with connection.cursor() as cursor:
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
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [process_id])
    other.close()

    connection.close_if_unusable_or_obsolete()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")

    assert connection.connection.info.backend_pid != process_id
