"""Production's settings on the tests' own PostgreSQL, which keeps nothing when its machine fails and need not."""

from backoffice.settings import *  # noqa: F403

NEEDS_DURABLE_SERVER = False
