"""Every setting of the product, in one list: its name, kind, default and meaning.

settings.py reads each of them here, `make run` passes each of them on, and `.env.example` and docs/settings.md are
written from the list by `make settings`. An empty variable counts as one that is not set.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from backoffice.kinds import CALLED, broker, decimal, listed, mapped, named_kinds, on_or_off, pooler
from payouts.worker import alive


class SettingError(ImproperlyConfigured):
    """A setting is missing or invalid; the text is a sentence that says how to fix it."""


@dataclass(frozen=True)
class Setting:
    """A variable of the environment. One with a `remedy` is required: the remedy says how to get a value.

    A default of None depends on another setting; `default_in_words` says how.
    """

    name: str
    meaning: str
    kind: Callable[[str], Any] = str
    default: Any = ""
    default_in_words: str = ""
    remedy: str = ""
    is_secret: bool = False


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
            "How long a batch that is over keeps what its file said of recipients; its payouts have their own. With "
            "0 for good. An export's file is kept for a week in any case.",
            int,
            0,
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
    "People": (
        Setting(
            "DUAL_CONTROL",
            "Changes of what decides over money (bands, limits, rules, clients, keys, groups, people's rights) are "
            "in force only when another person has confirmed them.",
            on_or_off,
            None,
            "on, unless DJANGO_DEBUG is on",
        ),
        Setting(
            "SECOND_FACTOR",
            "Whoever may do more than look is asked for a second factor at each login. Who has set one up is always "
            "asked.",
            on_or_off,
            None,
            "on, unless DJANGO_DEBUG is on",
        ),
        Setting(
            "SECOND_FACTOR_ISSUER", "The name of this product in people's authenticator apps.", default="Payouts"
        ),
        Setting(
            "PASSKEY_DOMAIN",
            "The domain that passkeys are for: the host that the browser shows, or a parent of it, for good. Empty: "
            "the host. Whoever moves to another domain sets passkeys up anew.",
        ),
        Setting(
            "SESSION_IDLE_SECONDS",
            "A session ends after so long without activity, and after twelve hours in any case.",
            int,
            1_800,
        ),
        Setting(
            "ACCESS_LOG_RETENTION_DAYS",
            "How long logins, refusals and changes of passwords and second factors stand in the access log. What was "
            "done to an object stands there for good. With 0 all of it does.",
            int,
            400,
        ),
        Setting(
            "REVEALS_A_MINUTE",
            "How many recipients a person or an API client may see in clear within a minute. Who reaches it, or "
            "REVEALS_A_DAY, is on the start page for a day.",
            int,
            20,
        ),
        Setting("REVEALS_A_DAY", "The same within a day.", int, 200),
        Setting(
            "TRUSTED_PROXIES",
            "How many proxies stand in front, each adding to X-Forwarded-For the address that called it. Logins are "
            "throttled and logged by the client's address. The one that ends TLS says so in X-Forwarded-Proto. With "
            "0 neither header is believed: every page then leads to https, and the API refuses every call, unless "
            "DJANGO_DEBUG is on. Never more than there are, or callers can write their own.",
            int,
            0,
        ),
    ),
    "Single sign-on": (
        Setting(
            "OIDC_ISSUER",
            "The identity provider (OpenID Connect), as it calls itself: `https://login.example.com/realms/staff`. "
            "Empty: no single sign-on. README.md tells how people are linked.",
        ),
        Setting("OIDC_CLIENT_ID", "What the identity provider knows this product as."),
        Setting("OIDC_CLIENT_SECRET", "The secret of that client.", is_secret=True),
        Setting(
            "OIDC_SCOPES",
            "What is asked for, comma-separated. Some providers give a refresh token for `offline_access` only; "
            "without one people are sent to the provider again every OIDC_RECHECK_SECONDS.",
            listed,
            ["openid", "email", "profile"],
        ),
        Setting(
            "OIDC_RECHECK_SECONDS",
            "How often the identity provider is asked whether it still stands by a person who is logged in. Whom it "
            "refuses is logged out; where it does not answer, sessions go on for as long again.",
            int,
            60,
        ),
        Setting(
            "OIDC_SECOND_FACTOR",
            "Values of `acr` or `amr`, comma-separated, by which the identity provider says that it asked for a "
            "second factor. Ours is asked for whenever none of them is there.",
            listed,
            [],
        ),
        Setting(
            "OIDC_PASSWORDS",
            "People who are linked to the identity provider may log in by a password too. Who is closed there then "
            "comes in beside it.",
            on_or_off,
            False,
        ),
        Setting(
            "OIDC_GROUPS",
            "Groups at the identity provider and the group here that each stands for, comma-separated: "
            "`staff-approvers=Approver`. A group here that is named, and whose group there a person has left, is "
            "taken from them at their next log-in or recheck.",
            mapped,
            {},
        ),
        Setting("OIDC_GROUPS_CLAIM", "The claim with the groups at the identity provider.", default="groups"),
        Setting(
            "OIDC_RULES_GROUPS",
            "The identity provider's word also gives the groups of OIDC_GROUPS, without a second person here.",
            on_or_off,
            False,
        ),
    ),
    "Worker": (
        Setting(
            "LEASE_SECONDS",
            "How long a claimed payout belongs to its worker. At least Q_TIMEOUT_SECONDS + 5.",
            int,
            120,
        ),
        Setting("SWEEP_SECONDS", "How often a cluster looks for what is due, and shows that it is alive.", int, 10),
        Setting("STALL_SECONDS", "A cluster that shows no life for so long is killed and started afresh.", int, 60),
        Setting(
            "Q_BROKER",
            "Where clusters are told that something is due: `orm`, in the database, or `redis` or `sqs` (Amazon's). "
            "What is to be paid stands in the database in any case, and each cluster looks there every "
            "SWEEP_SECONDS, also while the queue is away. See docs/deploy.md.",
            broker,
            "orm",
        ),
        Setting(
            "Q_REDIS_URL",
            "Redis 6.2 or newer, or Valkey, for `Q_BROKER=redis`.",
            default_in_words="that of REDIS_URL",
            is_secret=True,
        ),
        Setting(
            "Q_WORKERS", "Worker processes of a cluster that pay; one more checks files and writes exports.", int, 2
        ),
        Setting("Q_TIMEOUT_SECONDS", "The longest task. At least PROVIDER_TIMEOUT_SECONDS + 10.", int, 60),
        Setting(
            "Q_RETRY_SECONDS",
            "When a task that is not finished is given out again. At least four times Q_TIMEOUT_SECONDS.",
            int,
            600,
        ),
        Setting(
            alive.SETTING,
            "A file that a cluster touches while it is alive, for `manage.py cluster --check`. Each cluster on a "
            "machine needs one of its own.",
            default=alive.DEFAULT_FILE,
        ),
    ),
    "API": (
        Setting(
            "API_DOCS",
            "The page `/api/docs/` and the document `/api/schema/` are there, for everybody.",
            on_or_off,
            True,
        ),
        Setting(
            "API_ANONYMOUS_CLIENT",
            "The client that requests without a key act as. Refused unless DJANGO_DEBUG is on.",
        ),
        Setting(
            "API_THROTTLE",
            "Requests of one key in a second (`s`), a minute (`m`) or an hour (`h`), or `off`.",
            default="600/m",
        ),
    ),
}
# The name of EVENT_HMAC_KEYS, when it was one key.
BEFORE_THERE_WERE_SEVERAL = "EVENT_HMAC_KEY"
SETTINGS = {setting.name: setting for settings in SECTIONS.values() for setting in settings}


def session_options(asked: Mapping[str, object]) -> str:
    """What a session asks of the server as it begins, in the form of libpq's `options`; times in milliseconds."""
    return " ".join(f"-c {name}={value}" for name, value in asked.items())


def account_variables(account: str) -> dict[str, str]:
    """Those of the environment that are this account's, as they are: PROVIDER_<ACCOUNT>_<NAME>."""
    prefix = f"PROVIDER_{account.upper()}_"
    return {name: text for name, text in os.environ.items() if name.startswith(prefix) and text.strip()}


def account_values(accounts: Iterable[str]) -> dict[str, dict[str, str]]:
    """What the environment says of each account, by account and <NAME>; …_FILE is read from that file.

    Raises SettingError for a file that cannot be read, and where both are given.
    """
    found: dict[str, dict[str, str]] = {account: {} for account in accounts}
    for account, values in found.items():
        for variable, text in account_variables(account).items():
            name = variable.removeprefix(f"PROVIDER_{account.upper()}_")
            is_file = name.endswith("_FILE")
            if name.removesuffix("_FILE") in values:
                both = variable.removesuffix("_FILE")
                raise SettingError(f"{both} and its _FILE are both given: one of them must go.")
            values[name.removesuffix("_FILE")] = _content(variable, text.strip()) if is_file else text.strip()
    return found


def _content(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{variable} names a file that cannot be read ({type(error).__name__}).") from None


def read(name: str) -> Any:
    """The setting's value, or its default. Raises SettingError."""
    setting = SETTINGS[name]
    text = os.environ.get(name, "")
    if name == "EVENT_HMAC_KEYS" and not text.strip() and os.environ.get(BEFORE_THERE_WERE_SEVERAL, "").strip():
        return [os.environ[BEFORE_THERE_WERE_SEVERAL]]  # as it is: it may have a comma
    try:
        value = setting.kind(text) if text.strip() else setting.default
    except ValueError:
        raise SettingError(f"{name} must be {CALLED[setting.kind]}, and is {text}.") from None
    if setting.remedy and not value:
        raise SettingError(
            f"{name} is not set: {setting.remedy}. docs/settings.md has every setting; while `make run` runs in "
            "another terminal, manage.py needs none."
        )
    return value
