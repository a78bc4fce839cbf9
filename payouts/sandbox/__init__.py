"""The sandbox provider: a program of its own that speaks as providers do, and moves no money.

    python -m payouts.sandbox --port 9100 --ledger var/sandbox.sqlite3 [--host 127.0.0.1] [--delay-ms 0]

From the environment: `PROVIDER_TOKEN` (required), and for webhooks `SANDBOX_WEBHOOK_URL` with
`PROVIDER_WEBHOOK_SECRET`. SIGTERM or SIGINT stops it with exit code 0.

One ledger, and a dialect for each way to be asked: our own provider protocol at `/v1/payouts`, and those of the
folders here, each told of in its package. `/` is a page of what the ledger holds, and of what can be tried.

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
"""
