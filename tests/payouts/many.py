"""Many payouts like one, for what PostgreSQL does with many: of a few rows every plan costs the same."""

from payouts.models import Payout
from tests.payouts.observe import by_hand

# Everything of a payout but its number and its names, so that many cost one statement.
COPIES = """
INSERT INTO payouts_payout ({columns})
SELECT {values} FROM payouts_payout p, generate_series(1, {count}) WHERE p.id = {model}
"""


def copied(model: Payout, count: int, **given: str) -> None:
    """Rows that look due to the database; their seals fit nothing, so that claiming one would be seen."""
    given = {"reference": "gen_random_uuid()", "due_at": "now() - interval '1 day'", "seal": "'x'"} | given
    columns = [field.column for field in Payout._meta.concrete_fields if field.column != "id"]
    values = ", ".join(given.get(column, column) for column in columns)
    by_hand(COPIES.format(columns=", ".join(columns), values=values, count=count, model=model.pk))
