"""Where in the order of ids the payouts of a time begin."""

from datetime import datetime, timedelta

from django.db import connections

# Ids are drawn a moment before their rows' times, so neighbours may stand the other way round.
ID_SKEW = 1_000
LOOKED_AHEAD = (timedelta(hours=1), timedelta(days=1), timedelta(days=30))


def first_id_since(moment: datetime, *, using: str) -> int | None:
    """The first payout that was created then or later; None when there is none, or none within a month.

    The list goes by id. Without these bounds PostgreSQL would go through all newer payouts to find an old day's.
    """
    with connections[using].cursor() as cursor:
        for ahead in LOOKED_AHEAD:
            # OFFSET keeps the index on ids out of it: the one on times is to answer.
            cursor.execute(
                "SELECT min(id) FROM (SELECT id FROM payouts_payout"
                " WHERE created_at >= %s AND created_at < %s OFFSET 0) AS found",
                [moment, moment + ahead],
            )
            (first_id,) = cursor.fetchone()
            if first_id is not None:
                return int(first_id)
    return None
