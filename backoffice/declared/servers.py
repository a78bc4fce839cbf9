"""What runs: keys, database, web server, figures and logs."""

from backoffice.declared.setting import Setting
from backoffice.kinds import listed, on_or_off, pooler

SECTIONS: dict[str, tuple[Setting, ...]] = {
    "Required, without a default": (
        Setting(
            "DJANGO_SECRET_KEY",
            "Signs sessions.",
            remedy='make one with `python -c "import secrets; print(secrets.token_urlsafe(50))"`',
            is_secret=True,
        ),
        Setting(
            "DATABASE_URL",
            "The database: PostgreSQL 15 or newer.",
            remedy="for example `postgres://user:password@127.0.0.1:5432/payouts`",
            is_secret=True,
        ),
        Setting(
            "FIELD_ENCRYPTION_KEYS",
            "Encrypts recipients: Fernet keys, comma-separated. The first encrypts, all decrypt; docs/keys.md tells "
            "how to rotate them.",
            listed,
            remedy='make one with `python -c "import base64, secrets; '
            'print(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())"`',
            is_secret=True,
        ),
        Setting(
            "EVENT_HMAC_KEYS",
            "Seals payouts and their events: keys, comma-separated. The first seals, all verify; docs/keys.md tells "
            "how to rotate them. EVENT_HMAC_KEY, the name before, is read as one key when this is empty.",
            listed,
            remedy="give it 32 or more random characters, and keep them",
            is_secret=True,
        ),
        Setting(
            "INDEX_KEY",
            "Finds equal recipients and requests, and derives second factors. It is never rotated: changing it makes "
            "what is stored look altered and ends every second factor.",
            remedy="give it 32 or more random characters, and keep them "
            "(where payouts were made before it existed: the value of EVENT_HMAC_KEY)",
            is_secret=True,
        ),
    ),
    "Retired keys": (
        Setting(
            "EVENT_HMAC_KEYS_RETIRED",
            "Old keys of EVENT_HMAC_KEYS, comma-separated. "
            "Move a key here once `manage.py rotate_keys` has finished: "
            "from then on it only verifies old events and approvals.",
            listed,
            [],
            is_secret=True,
        ),
    ),
    "Database": (
        Setting(
            "DATABASE_POOLER",
            "`transaction` where DATABASE_URL leads to a pooler that gives a connection out for one transaction "
            "(PgBouncer's `pool_mode = transaction`), or to any other. Then sessions carry nothing of ours: no "
            "prepared statements, and the time-outs of the role (deploy/sql/roles.sql). Migrations go past it. See "
            "docs/roles.md.",
            pooler,
            "",
        ),
        Setting(
            "DATABASE_REPLICA_URL",
            "A standby of the database, to which the primary streams its log. Long lists, exports, reports and "
            "pictures are read from it; whoever has just changed something, and everybody while it lags or is away, "
            "reads the primary. Nobody decides by it. DATABASE_POOLER is of both. See docs/deploy.md.",
            is_secret=True,
        ),
        Setting(
            "REPLICA_LAG_SECONDS",
            "How much older than the primary the standby may be and still be read from.",
            int,
            10,
        ),
    ),
    "Web": (
        Setting(
            "DJANGO_SECRET_KEY_FALLBACKS",
            "Old values of DJANGO_SECRET_KEY, comma-separated, while it is being rotated.",
            listed,
            [],
            is_secret=True,
        ),
        Setting("DJANGO_DEBUG", "For development. Never on where money moves.", on_or_off, False),
        Setting(
            "DJANGO_ALLOWED_HOSTS", "The host names that the product answers under, comma-separated.", listed, []
        ),
        Setting(
            "DJANGO_CSRF_TRUSTED_ORIGINS", "Comma-separated, for example `https://payouts.example.com`.", listed, []
        ),
        Setting("PORT", "Where the web server listens.", int, 8000),
        Setting("WEB_CONCURRENCY", "Web processes.", int, None, "one for each core"),
        Setting(
            "FIGURES_FOR_EVERYBODY",
            "More than the status at `/readyz/` is for callers from private addresses. On: for everybody.",
            on_or_off,
            False,
        ),
        Setting(
            "WEB_THREADS",
            "Requests that a web process answers at once, and its connections to the database. A quarter of them is "
            "the most that one API key, session or address gets, and half of them the most that one network gets: an "
            "IPv4 address, or an IPv6 /64.",
            int,
            16,
        ),
        Setting(
            "REDIS_URL",
            "Cache and throttling. Empty: each process has a cache of its own. Nothing breaks when it is down.",
            is_secret=True,
        ),
    ),
    "Metrics": (
        Setting(
            "METRICS_PORT",
            "Where `manage.py exporter` serves the figures for Prometheus, at `/metrics`. Keep it private.",
            int,
            9100,
        ),
        Setting(
            "WEB_METRICS_PORT",
            "Where a web server serves figures of its own, those of all its processes together. Empty: nowhere, and "
            "none are kept. Keep it private.",
            int,
            None,
            "none",
        ),
    ),
    "Logs": (
        Setting("LOG_LEVEL", "`DEBUG`, `INFO`, `WARNING` or `ERROR`.", default="INFO"),
        Setting("LOG_FORMAT", "`json` for machines, `console` for people.", default="json"),
        Setting("BUILD", "The commit that runs, which logs and figures name; the image sets it."),
        Setting(
            "SENTRY_DSN",
            "Where Sentry takes errors: where each was, of what type, and the numbers to find its line in the log "
            "by; no texts, variables or requests (docs/logs.md). Empty: nothing is told.",
            is_secret=True,
        ),
        Setting("SENTRY_ENVIRONMENT", "What Sentry calls this installation, such as `production`."),
        Setting(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "Where a collector of OpenTelemetry takes traces over HTTP, from the request to the provider's call: "
            "`http://collector:4318`. OpenTelemetry's other variables count too. Empty: nothing is measured.",
        ),
    ),
}
