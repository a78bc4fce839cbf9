"""The clusters and the API."""

from backoffice.declared.setting import Setting
from backoffice.kinds import broker, on_or_off
from payouts.worker import alive

SECTIONS: dict[str, tuple[Setting, ...]] = {
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
            "Redis 6.2 or newer, or Valkey, where Q_BROKER is `redis`.",
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
