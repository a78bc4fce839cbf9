"""A cluster's sign of life for the platform that runs it: a file that the supervisor touches while its group answers.

`manage.py cluster --check` looks at it: a liveness probe, which comes every few seconds and must cost little. So
nothing here loads Django, or a setting but the file's name. For how long a touch counts stands in the file.
"""

import os
import time
from contextlib import suppress

SETTING = "CLUSTER_ALIVE_FILE"
DEFAULT_FILE = "/tmp/payouts-cluster-alive"  # noqa: S108
# In /tmp anybody may have made a link or a pipe of this name.
SAFELY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class SignOfLife:
    """The supervisor's side."""

    def __init__(self, path: str, *, lasts_seconds: float) -> None:
        self._path = path
        self._content = f"{lasts_seconds:g}\n".encode()

    def show(self) -> None:
        """Raises OSError."""
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | SAFELY, 0o600)
        try:
            os.write(descriptor, self._content)
        finally:
            os.close(descriptor)

    def end(self) -> None:
        """A cluster that has ended, or not begun, is not alive."""
        with suppress(OSError):
            os.unlink(self._path)


def why_not() -> str:
    """Why the cluster of this container or machine is not alive, as a sentence; empty while it is."""
    path = os.environ.get(SETTING, "").strip() or DEFAULT_FILE
    try:
        descriptor = os.open(path, os.O_RDONLY | SAFELY)
        with os.fdopen(descriptor, encoding="ascii") as file:
            lasts_seconds = float(file.read(32))
            age_seconds = time.time() - os.fstat(file.fileno()).st_mtime
    except (OSError, ValueError) as error:
        return f"No cluster is alive here: {path} cannot be read ({type(error).__name__})."
    # A clock that was set back must not keep it alive.
    if not abs(age_seconds) <= lasts_seconds:
        return f"No cluster is alive here: the last sign of life in {path} is {age_seconds:.0f} seconds old."
    return ""
