"""Files that stand in for the environment: `.env`, and what `make run` writes for a manage.py in another terminal.

They are read before anything asks for a setting, and the environment goes before them. Where there are none, as in a
container, nothing is imported for it: the probe of a cluster comes here every few seconds.
"""

import os
from collections.abc import Sequence

_BASE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FILES: Sequence[str] = (os.path.join(_BASE, ".env"), os.path.join(_BASE, "var", "run.env"))


def read() -> None:
    for file in FILES:
        if os.path.isfile(file):
            import environ

            environ.Env.read_env(file)
