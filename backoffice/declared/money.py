"""What pays, what keeps it, and for how long."""

from backoffice.declared.setting import Setting
from backoffice.kinds import decimal, listed, named_kinds

SECTIONS: dict[str, tuple[Setting, ...]] = {
    "Provider": (
        Setting(
            "PROVIDER_URL",
            "Where payouts are paid: an address with `https://`, or with `http://` on a closed network.",
        ),
        Setting(
            "PROVIDER_TOKEN", "What the provider knows us by; docs/keys.md tells how to rotate it.", is_secret=True
        ),
        Setting(
            "PROVIDER_ACCOUNT",
            "A name for the account that PROVIDER_TOKEN is of. A payout that was sent to one account is never looked "
            "up or sent at another. Without it PROVIDER_URL stands for the account: give it a name before the "
            "address of the same account changes, and where several accounts share an address.",
        ),
        Setting(
            "PROVIDER_WEBHOOK_SECRET",
            "Signs the provider's webhooks, which come to `/api/webhooks/provider/` (Standard Webhooks, `whsec_…`). "
            "Several, comma-separated, are all taken, while it is being rotated. "
            "Without it every webhook is refused, and the outcome of a payment is only looked up.",
            is_secret=True,
        ),
        Setting(
            "PROVIDERS",
            "Accounts with providers, by names of yours of lower-case letters and digits, such as "
            "`main=yookassa,eu=paypal`. The settings of an account begin with `PROVIDER_` and its name; "
            "docs/providers.md has them. The first account pays where no route says otherwise; without PROVIDERS, "
            "that of PROVIDER_URL, whose name is `http`.",
            named_kinds,
            {},
        ),
        Setting("PROVIDER_TIMEOUT_SECONDS", "For a whole call: connecting, waiting and reading.", decimal, 30.0),
        Setting(
            "PROVIDER_KEY_TTL_SECONDS",
            "How long the provider remembers an idempotency key. After that, nothing is sent under that key.",
            int,
            86_400,
        ),
        Setting("PROVIDER_CONCURRENCY", "Calls in flight for each worker.", int, 32),
        Setting("MAX_ATTEMPT_CALLS", "Calls for one attempt before a person is asked.", int, 20),
    ),
    "Installation": (
        Setting(
            "INSTALLATION",
            "The name of this installation, stored in its database at the first start. A copy of the database under "
            "another name pays nothing: see docs/recovery.md.",
            default="payouts",
        ),
        Setting(
            "CHECKPOINTS",
            "Where the signed checkpoint of each hour is kept outside the database: a folder, or "
            "`s3://bucket/prefix`. Without it they are in the database and in the log alone: see docs/safety.md.",
        ),
        Setting(
            "CHECKPOINT_RETENTION_DAYS",
            "How long nobody can delete or replace a checkpoint in a bucket with object lock. With 0 the bucket's "
            "own rule holds.",
            int,
            0,
        ),
    ),
    "Backups": (
        Setting(
            "BACKUPS",
            "Where `manage.py backup` keeps encrypted backups of the database: a folder, or `s3://bucket/prefix`. "
            "Where the web server has it too, the start page warns when the last backup is older than 26 hours, or "
            "the last that was restored and audited older than 8 days: see docs/recovery.md.",
        ),
        Setting(
            "BACKUP_RECIPIENTS",
            "Public keys of age (`age1…`), comma-separated: a backup is encrypted for each of them. "
            "`manage.py backup --new-key` makes a pair; docs/keys.md tells how to rotate it.",
            listed,
            [],
        ),
        Setting(
            "BACKUP_RETENTION_DAYS",
            "How long a backup is kept. The newest, and the newest that was restored and audited, are kept in any "
            "case. With 0 nothing is removed: a bucket's own rule may do it.",
            int,
            30,
        ),
        Setting(
            "BACKUP_IDENTITY",
            "The secret keys of age (`AGE-SECRET-KEY-1…`), comma-separated, that open backups. Only where one is "
            "restored, never where they are made.",
            is_secret=True,
        ),
        Setting("BACKUP_IDENTITY_FILE", "A file with those keys, one a line, in place of BACKUP_IDENTITY."),
        Setting(
            "RESTORE_DATABASE_URL",
            "A PostgreSQL server on which `manage.py restore_drill` may make a database, and remove it again, as a "
            "role that is no superuser. Empty: it starts one of its own, where the programs are.",
            is_secret=True,
        ),
    ),
    "Personal data": (
        Setting(
            "ERASURE_AFTER_DAYS",
            "How long the law has payouts kept, counted from the recipient's last one: before, nobody can be erased. "
            "With 0 there is no such time: see docs/erasure.md.",
            int,
            0,
        ),
        Setting(
            "FILES_RETENTION_DAYS",
            "How long a batch that is over keeps what its file said of recipients; its payouts have their own. One "
            "that nobody sent for approval by then is discarded. With 0 for good. An export's file is kept for a "
            "week in any case.",
            int,
            90,
        ),
    ),
    "Approvals": (
        Setting(
            "RELEASE_DELAY_SECONDS",
            "How long a payout waits after its last approval; until then the approval can be withdrawn.",
            int,
            0,
        ),
    ),
}
