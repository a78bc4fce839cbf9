"""What was submitted in the last day, for the limits that stand already."""

from django.db import migrations

from payouts.migrations._waits import patiently

FILL = """
INSERT INTO payouts_submittedsum (kind, key, currency, hour, count, amount)
SELECT kind, w.key, p.currency, date_trunc('hour', created_at, 'UTC'), count(*), sum(amount)
FROM payouts_payout AS p JOIN payouts_payoutlimit AS l USING (currency) CROSS JOIN LATERAL (
    VALUES ('currency', ''::bytea, day_amount),
           ('recipient', recipient_index, recipient_amount)) AS w (kind, key, most)
WHERE created_at > now() - interval '25 hours' AND status NOT IN ('cancelled', 'rejected', 'failed')
  AND most IS NOT NULL
GROUP BY 1, 2, 3, 4;
UPDATE payouts_payoutlimit SET counts_from = now();
"""


class Migration(migrations.Migration):
    dependencies = [("payouts", "0025_submitted_sums")]

    operations = [patiently(), migrations.RunSQL(FILL, "DELETE FROM payouts_submittedsum;")]
