"""The dialect of PayPal's payouts: an account for tests, as its public documentation describes one.

With `SANDBOX_PAYPAL_CLIENT_ID` and `SANDBOX_PAYPAL_SECRET` it is an account there: POST `/v1/oauth2/token`,
`/v1/payments/payouts` (one item) and `/v1/notifications/verify-webhook-signature`, GET `/v1/payments/payouts/{id}`
and `/v1/payments/payouts-item/{id}`. More from the environment:

| variable                         | default | meaning |
|----------------------------------|---------|---------|
| `SANDBOX_PAYPAL_WEBHOOK_URL`     | none    | where it is told how an item ended |
| `SANDBOX_PAYPAL_WEBHOOK_ID`      | none    | the webhook's, which its signature is for |
| `SANDBOX_PAYPAL_KEY_TTL_SECONDS` | 2592000 | how long a `sender_batch_id` is remembered; then it is another payout |
| `SANDBOX_PAYPAL_TOKEN_SECONDS`   | 32400   | how long an access token lives |
| `SANDBOX_PAYPAL_BALANCE`         | none    | what there is to pay from; above it 422 `INSUFFICIENT_FUNDS` |

A POST is answered with 201 `PENDING`; how the item ended is in the GET, with a fee of 2 %. Its refusals: 1313.01 is a
400 `VALIDATION_ERROR`, 1313.02 FAILED at once and 1313.05 later (`RECEIVER_ACCOUNT_LOCKED`). A `sender_batch_id` that
was used is a 400 `USER_BUSINESS_ERROR`, which links to the payout.
"""
