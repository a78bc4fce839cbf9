"""Starts a program of the product as production does, after what the campaign patches in memory.

    python -m tests.campaign.launch cluster         as `manage.py cluster`
    backoffice.serve --application tests.campaign.launch:application     as `python -m backoffice.serve`

Patched for the sound product too: the times of scaled.py, because those of production would take hours. With
CAMPAIGN_MUTANT one mechanism more. q2 forks its workers, so they inherit both.
"""

import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings")

from backoffice.wsgi import application
from tests.campaign import mutants
from tests.campaign.plan import Plan
from tests.campaign.scaled import scale_down

__all__ = ["application"]

scale_down(Plan.from_environment())
if mutant := os.environ.get("CAMPAIGN_MUTANT"):
    getattr(mutants, mutant)()

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", *sys.argv[1:]])
