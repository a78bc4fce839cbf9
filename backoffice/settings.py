"""All settings, from the environment; `.env` is read if there. environment.py lists and explains what may be set.

A missing required variable stops the start with a sentence. Rules between settings are system checks (checks.py).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import environ
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

from backoffice import env_files, logs
from backoffice.environment import SettingError, account_values, read, session_options
from payouts.files.limits import FORM_BYTES

BASE_DIR = Path(__file__).resolve().parent.parent

env_files.read()

# Core

DEBUG = read("DJANGO_DEBUG")
SECRET_KEY = read("DJANGO_SECRET_KEY")
SECRET_KEY_FALLBACKS = read("DJANGO_SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = read("DJANGO_ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = read("DJANGO_CSRF_TRUSTED_ORIGINS")
ROOT_URLCONF = "backoffice.urls"
WSGI_APPLICATION = "backoffice.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = True

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "axes",
    "ninja",
    "django_q",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "simple_history",
    "payouts",
]

MIDDLEWARE = [
    "backoffice.middleware.requests.RequestIdMiddleware",
    "backoffice.middleware.requests.ApiMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "backoffice.middleware.pages.WhiteNoiseMiddleware",
    "backoffice.middleware.texts.MarkedTextMiddleware",
    "backoffice.middleware.pages.ContentSecurityPolicyMiddleware",
    "backoffice.middleware.writes.OwnWritesMiddleware",
    "backoffice.middleware.pages.SessionMiddleware",
    "backoffice.middleware.pages.LocaleMiddleware",
    "backoffice.middleware.pages.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "backoffice.middleware.pages.AuthenticationMiddleware",
    "backoffice.middleware.pages.OTPMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "backoffice.middleware.pages.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "backoffice.middleware.sessions.SessionEndMiddleware",
    "backoffice.middleware.sessions.SingleSignOnMiddleware",
    "backoffice.middleware.sessions.SecondFactorMiddleware",
    "backoffice.middleware.requests.DatabaseAwayMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "payouts.admin.people.single_sign_on.offered",
            ],
        },
    },
]

# Database. Every statement is bounded: a session that waits for a lock or for the network must not hang a worker.

DATABASE_POOLER = read("DATABASE_POOLER")
DATABASE_REPLICA_URL = read("DATABASE_REPLICA_URL")
REPLICA_LAG_SECONDS = read("REPLICA_LAG_SECONDS")
# Times are in milliseconds. A process that does not get them does not start (payouts/database/session.py).
DATABASE_SESSION: dict[str, int | str] = {
    "statement_timeout": 30_000,
    "lock_timeout": 10_000,
    "idle_in_transaction_session_timeout": 60_000,
    # A server may have it off; then it confirms what a crash makes it forget.
    "synchronous_commit": "on",
}


def _database(name: str, url: str, session: dict[str, int | str], **network: int) -> dict[str, Any]:
    """The database at the URL of this setting, each of whose sessions asks for this. `network` is libpq's."""
    database: dict[str, Any] = environ.Env.db_url_config(url)
    if database["ENGINE"] != "django.db.backends.postgresql":
        raise SettingError(f"{name} must name a PostgreSQL database: its constraints hold the money.")
    # Behind a pooler the next statement may find another session, which has prepared nothing or something else.
    kept = {"prepare_threshold": 2, "options": session_options(session)}
    return database | {
        "ENGINE": "backoffice.postgresql",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        # Outside a transaction a cursor of the server's lives as long as the session, which a pooler gives to others.
        "DISABLE_SERVER_SIDE_CURSORS": bool(DATABASE_POOLER),
        "OPTIONS": {
            **database.get("OPTIONS", {}),
            "application_name": "payouts",
            "server_side_binding": True,
            **network,
            **({"prepare_threshold": None} if DATABASE_POOLER else kept),
        },
    }


# The server's limits do not help when the network to it is gone.
DATABASES = {
    "default": _database(
        "DATABASE_URL",
        read("DATABASE_URL"),
        DATABASE_SESSION,
        connect_timeout=5,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=30_000,
    )
}
if DATABASE_REPLICA_URL:
    # The primary has the same answers: this one is given up soon (payouts/database/replica.py).
    DATABASES["replica"] = _database(
        "DATABASE_REPLICA_URL",
        DATABASE_REPLICA_URL,
        DATABASE_SESSION | {"default_transaction_read_only": "on"},
        connect_timeout=2,
        keepalives_idle=3,
        keepalives_interval=2,
        keepalives_count=2,
        tcp_user_timeout=5_000,
    ) | {"TEST": {"MIRROR": "default"}}
DATABASE_ROUTERS = ["payouts.database.replica.Router"]

# A server that may lose what it has confirmed is for development alone (payouts/actions/recovery.py).
NEEDS_DURABLE_SERVER = not DEBUG

# Cache and throttling only: nothing may break when Redis is down, so errors are logged and answered as a miss.

REDIS_URL = read("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "payouts",
        "OPTIONS": {
            "CLIENT_CLASS": "backoffice.cache.JsonClient",
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
            "IGNORE_EXCEPTIONS": True,
            "SOCKET_CONNECT_TIMEOUT": 0.2,
            "SOCKET_TIMEOUT": 0.2,
        },
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}
DJANGO_REDIS_LOG_IGNORED_EXCEPTIONS = True

# Money

FIELD_ENCRYPTION_KEYS = read("FIELD_ENCRYPTION_KEYS")
EVENT_HMAC_KEYS = read("EVENT_HMAC_KEYS")
EVENT_HMAC_KEYS_RETIRED = read("EVENT_HMAC_KEYS_RETIRED")
INDEX_KEY = read("INDEX_KEY")
INSTALLATION = read("INSTALLATION")
CHECKPOINTS = read("CHECKPOINTS")
CHECKPOINT_RETENTION_DAYS = read("CHECKPOINT_RETENTION_DAYS")
BACKUPS = read("BACKUPS")
BACKUP_RECIPIENTS = read("BACKUP_RECIPIENTS")
BACKUP_RETENTION_DAYS = read("BACKUP_RETENTION_DAYS")
BACKUP_IDENTITY = read("BACKUP_IDENTITY")
BACKUP_IDENTITY_FILE = read("BACKUP_IDENTITY_FILE")
RESTORE_DATABASE_URL = read("RESTORE_DATABASE_URL")

PROVIDER_URL = read("PROVIDER_URL")
PROVIDER_ACCOUNT = read("PROVIDER_ACCOUNT")
PROVIDER_TOKEN = read("PROVIDER_TOKEN")
PROVIDER_WEBHOOK_SECRET = read("PROVIDER_WEBHOOK_SECRET")
PROVIDERS = read("PROVIDERS")
PROVIDER_VALUES = account_values(PROVIDERS)
PROVIDER_TIMEOUT_SECONDS = read("PROVIDER_TIMEOUT_SECONDS")
PROVIDER_KEY_TTL_SECONDS = read("PROVIDER_KEY_TTL_SECONDS")
PROVIDER_CONCURRENCY = read("PROVIDER_CONCURRENCY")
MAX_ATTEMPT_CALLS = read("MAX_ATTEMPT_CALLS")

RELEASE_DELAY_SECONDS = read("RELEASE_DELAY_SECONDS")

# Worker

LEASE_SECONDS = read("LEASE_SECONDS")
SWEEP_SECONDS = read("SWEEP_SECONDS")
STALL_SECONDS = read("STALL_SECONDS")
Q_WORKERS = read("Q_WORKERS")
Q_TIMEOUT_SECONDS = read("Q_TIMEOUT_SECONDS")
Q_RETRY_SECONDS = read("Q_RETRY_SECONDS")
CLUSTER_ALIVE_FILE = read("CLUSTER_ALIVE_FILE")
Q_BROKER = read("Q_BROKER")
Q_REDIS_URL = read("Q_REDIS_URL") or REDIS_URL
Q_QUEUES = {
    "orm": "payouts.worker.database_queue.DatabaseQueue",
    "redis": "payouts.worker.redis_queue.RedisQueue",
    "sqs": "payouts.worker.sqs_queue.SqsQueue",
}

Q_CLUSTER = {
    "name": "payouts",
    "label": _("Task queue"),
    "orm": "default",
    "broker_class": Q_QUEUES[Q_BROKER],
    "workers": Q_WORKERS + 1,  # one of them for files (payouts/worker/broker.py)
    "queue_limit": Q_WORKERS + 1,
    "bulk": 1,
    "timeout": Q_TIMEOUT_SECONDS,
    "retry": Q_RETRY_SECONDS,
    "ack_failures": True,
    "save_limit": -1,
    "recycle": 500,
    "poll": 0.05,
    "catch_up": False,
    "guard_cycle": 0.5,
    "log_level": "WARNING",
}

# API

API_ANONYMOUS_CLIENT = read("API_ANONYMOUS_CLIENT")
API_THROTTLE = read("API_THROTTLE")
API_DOCS = read("API_DOCS")
FIGURES_FOR_EVERYBODY = read("FIGURES_FOR_EVERYBODY")
METRICS_PORT = read("METRICS_PORT")
DATA_UPLOAD_MAX_MEMORY_SIZE = FORM_BYTES
# An uploaded batch has accounts in clear: it goes to no temporary file. payouts/files/limits.py says who takes files.
FILE_UPLOAD_HANDLERS = ["payouts.files.upload_handler.BoundedUpload"]
DATA_UPLOAD_MAX_NUMBER_FILES = 1

# People

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "payouts.staff.authority.SealedBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "payouts.staff.passwords.GuessableValidator"},
    {"NAME": "payouts.staff.access_log.PasswordWatch"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_HANDLER = "payouts.staff.login_limits.LoginLimits"  # waits for an address and for a name as well
AXES_USERNAME_CALLABLE = "payouts.staff.login_limits.hashed_name"
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
# A try while the login is closed does not keep it closed for longer.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_CALLABLE = "payouts.admin.people.second_factor.locked_out"
AXES_CLIENT_IP_CALLABLE = "payouts.staff.client_address.client_address"
AXES_DISABLE_ACCESS_LOG = True  # payouts/staff/access_log.py keeps one
LOGIN_URL = "admin:login"

TRUSTED_PROXIES = read("TRUSTED_PROXIES")
SECOND_FACTOR = not DEBUG if (given := read("SECOND_FACTOR")) is None else given
DUAL_CONTROL = not DEBUG if (given := read("DUAL_CONTROL")) is None else given
OTP_TOTP_ISSUER = read("SECOND_FACTOR_ISSUER")
PASSKEY_DOMAIN = read("PASSKEY_DOMAIN")
SESSION_IDLE_SECONDS = read("SESSION_IDLE_SECONDS")
ACCESS_LOG_RETENTION_DAYS = read("ACCESS_LOG_RETENTION_DAYS")
ERASURE_AFTER_DAYS = read("ERASURE_AFTER_DAYS")
FILES_RETENTION_DAYS = read("FILES_RETENTION_DAYS")

OIDC_ISSUER = read("OIDC_ISSUER")
OIDC_CLIENT_ID = read("OIDC_CLIENT_ID")
OIDC_CLIENT_SECRET = read("OIDC_CLIENT_SECRET")
OIDC_SCOPES = read("OIDC_SCOPES")
OIDC_RECHECK_SECONDS = read("OIDC_RECHECK_SECONDS")
OIDC_SECOND_FACTOR = read("OIDC_SECOND_FACTOR")
OIDC_PASSWORDS = read("OIDC_PASSWORDS")
OIDC_GROUPS = read("OIDC_GROUPS")
OIDC_GROUPS_CLAIM = read("OIDC_GROUPS_CLAIM")
OIDC_RULES_GROUPS = read("OIDC_RULES_GROUPS")
REVEALS_A_MINUTE = read("REVEALS_A_MINUTE")
REVEALS_A_DAY = read("REVEALS_A_DAY")

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("ru", _("Russian"))]
LOCALE_PATHS = [BASE_DIR / "locale", BASE_DIR / "locale/vendor"]
TIME_ZONE = "UTC"
USE_TZ = True
USE_THOUSAND_SEPARATOR = True

# Security. TLS ends at the proxy, which says so in X-Forwarded-Proto (Fly, nginx). Without one anybody can write it.

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
SESSION_ENGINE = "payouts.staff.sessions"
SESSION_COOKIE_AGE = 12 * 3600
# With the prefix a browser takes them from this very host alone, over TLS: none from another of the same domain.
_HOST = "" if DEBUG else "__Host-"
SESSION_COOKIE_NAME = f"{_HOST}payouts_session"
CSRF_COOKIE_NAME = f"{_HOST}csrftoken"
LANGUAGE_COOKIE_NAME = f"{_HOST}payouts_language"
DEVICE_COOKIE_NAME = f"{_HOST}payouts_device"
WRITTEN_COOKIE_NAME = f"{_HOST}payouts_written"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SECURE = not DEBUG
# Strict would ask people who follow a link in an e-mail to log in.
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SECURE_SSL_REDIRECT = not DEBUG
# The API refuses plain HTTP itself.
SECURE_REDIRECT_EXEMPT = [r"^healthz/?$", r"^readyz/?$", r"^api/"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_HSTS_SECONDS = 0 if DEBUG else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEBUG
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": ["'self'"],
    "script-src": ["'self'"],  # no unsafe-eval: see payouts/static/payouts/alpine.js
    "style-src": ["'self'", "'unsafe-inline'"],
    "img-src": ["'self'", "data:"],
    "font-src": ["'self'"],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'self'"],
}

# Static files

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "var" / "static"
# In place of Unfold's: an Alpine that compiles nothing.
STATICFILES_DIRS = [BASE_DIR / "backoffice" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG
# Pages name files by what is in them.
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

# Logs, and who else hears of errors and of what takes how long (backoffice/logs.py, sentry.py, payouts/spans).

LOG_LEVEL = read("LOG_LEVEL").upper()
LOG_FORMAT = read("LOG_FORMAT")
BUILD = read("BUILD")
SENTRY_DSN = read("SENTRY_DSN")
SENTRY_ENVIRONMENT = read("SENTRY_ENVIRONMENT")
OTEL_EXPORTER_OTLP_ENDPOINT = read("OTEL_EXPORTER_OTLP_ENDPOINT")
_sentry = {
    "()": "backoffice.sentry.SentryHandler",  # by its name: without a DSN it is not even imported
    "dsn": SENTRY_DSN,
    "environment": SENTRY_ENVIRONMENT,
    "release": BUILD,
}
logs.configure(LOG_FORMAT)
LOGGING = logs.configuration(level=LOG_LEVEL, form=LOG_FORMAT, handlers={"sentry": _sentry} if SENTRY_DSN else None)

# Unfold: see payouts/admin/site.py for the callbacks.


def _asset(name: str) -> Callable[[HttpRequest], str]:
    return lambda _request: static(f"payouts/{name}")


UNFOLD = {
    "SITE_TITLE": _("Payouts"),
    "SITE_HEADER": _("Payouts"),
    "SITE_SUBHEADER": _("Back office"),
    "SITE_SYMBOL": "payments",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _asset("favicon.svg")}],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "SHOW_BACK_BUTTON": True,
    "ENVIRONMENT": "payouts.admin.site.environment",
    "DASHBOARD_CALLBACK": "payouts.admin.site.start",
    "STYLES": [_asset("admin.css")],
    "SCRIPTS": [_asset(f"{name}.js") for name in ("alpine", "admin", "payout", "frame", "bulk", "palette")],
    "ACCOUNT": {"navigation": "payouts.admin.site.account_links"},
    "SIDEBAR": {"show_search": True, "navigation": "payouts.admin.site.navigation"},
    "COLORS": {
        "primary": {
            "50": "#eff6ff",
            "100": "#dbeafe",
            "200": "#bfdbfe",
            "300": "#93c5fd",
            "400": "#60a5fa",
            "500": "#3b82f6",
            "600": "#2563eb",
            "700": "#1d4ed8",
            "800": "#1e40af",
            "900": "#1e3a8a",
            "950": "#172554",
        },
    },
}
