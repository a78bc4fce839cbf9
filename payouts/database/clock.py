from datetime import datetime

from django.db import connection


def clock() -> datetime:
    """The database's time as it is now, also within a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment
