"""The dialect of YooKassa's payouts: a test gateway, as its public documentation describes one.

With `SANDBOX_GATEWAY_ID` and `SANDBOX_SECRET` (HTTP Basic) it is a test gateway, which pays in RUB from
1.00 to 500000.00 through SBP, to cards and to wallets: POST and GET `/v3/payouts`, GET `/v3/payouts/search`,
`/v3/payouts/{id}`, `/v3/sbp_banks` and `/v3/me`. It keeps names by POST `/v3/personal_data`, and checks a payout
through SBP against one; of the surname Чужой it says that the account is somebody else's. More from the environment:

| variable                     | default | meaning |
|------------------------------|---------|---------|
| `SANDBOX_NOTIFICATION_URL`   | none    | where it is told how a payout ended, unsigned, until the answer is 200 |
| `SANDBOX_KEY_TTL_SECONDS`    | 86400   | how long a key is remembered; then it is another payout |
| `SANDBOX_SEARCH_LAG_SECONDS` | 5       | how old a payout is before a search finds it |
| `SANDBOX_BALANCE`            | none    | roubles to pay from; without it the balance only falls below zero |

Its refusals: 1313.01 is a 400 `invalid_request`, 1313.02 is canceled at once (`general_decline`), 1313.05 later
(`rejected_by_payee`); 1313.13 stays paid. The same key with another body is a 400 that blames `Idempotence-Key`. The
documented test wallets are canceled: 41001614575572 `one_time_limit_exceeded`, 41001614575643
`periodic_limit_exceeded`, 410011806060766 `insufficient_funds`, 410011788545536 `general_decline`.
"""
