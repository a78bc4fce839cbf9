"""The sandbox provider: a program of its own that speaks as providers do, and moves no money.

    python -m payouts.sandbox --port 9100 --ledger var/sandbox.sqlite3 [--host 127.0.0.1] [--delay-ms 0]

From the environment: `PROVIDER_TOKEN` (required), and for webhooks `SANDBOX_WEBHOOK_URL` with
`PROVIDER_WEBHOOK_SECRET`. SIGTERM or SIGINT stops it with exit code 0.

One ledger, and a dialect for each way to be asked: our own provider protocol at `/v1/payouts`, and YooKassa's payouts
under `/v3/` (below). `/` is a page of what the ledger holds.

Every amount is paid at once, except these, in any currency (in one without decimals, such as JPY, the same
digits without the point: 131301):

| amount  | what happens |
|---------|--------------|
| 1313.01 | refused: 422 `recipient_blocked`, nothing is paid |
| 1313.02 | rejected: 201 with the status `rejected`, `account_closed` |
| 1313.03 | slow: paid and answered after 3 seconds |
| 1313.04 | pending; settled by webhook after 2 seconds |
| 1313.05 | pending; rejected by webhook after 2 seconds, `beneficiary_bank_rejected` |
| 1313.06 | paid, but the first request never gets an answer |
| 1313.07 | 500 before paying, for the first request; the next one pays |
| 1313.08 | 500 after paying, for the first request |
| 1313.09 | paid, but the first request is answered with garbage |
| 1313.10 | 429 with `Retry-After: 1` for the first two requests; the third pays |
| 1313.11 | paid, but the first request ends in a connection reset |
| 1313.12 | pending for ever |
| 1313.13 | paid; returned by the bank, and told by webhook, after 2 seconds |

"First" counts the POSTs of one idempotency key, across restarts. The same key with the same body pays once
and is answered with the payment as it stands (200); with another body it is 409 `idempotency_key_reuse`.
`--delay-ms` waits before paying, so that a caller can give up on a payment that is made later.

YooKassa. With `SANDBOX_GATEWAY_ID` and `SANDBOX_SECRET` (HTTP Basic) it is a test gateway, which pays in RUB from
1.00 to 500000.00 through SBP, to cards and to wallets: POST and GET `/v3/payouts`, GET `/v3/payouts/search`,
`/v3/payouts/{id}`, `/v3/sbp_banks` and `/v3/me`. More from the environment:

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
