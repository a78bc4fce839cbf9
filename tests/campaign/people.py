"""The people of the campaign, its velocity limit, and the client whose owner is the maker. Prints the client's key.

python -m tests.campaign.people LIMITS
"""

import sys
from pathlib import Path

import django

django.setup()

from django.contrib.auth.models import Permission, User  # noqa: E402

from payouts.clients import create_client  # noqa: E402
from payouts.models import Scope, VelocityLimit  # noqa: E402
from tests.campaign.plan import Plan  # noqa: E402

MAKER, CHECKERS = "maker", ("checker", "second checker")
ADMINS, INSIDER = ("first admin", "second admin"), "insider"
MAY = ("change_velocitylimit", "change_approvalband", "view_payout", "approve_payout")


def main(limits: Path) -> None:
    maker = User.objects.create_user(MAKER)
    for name in CHECKERS:
        User.objects.create_user(name)
    may = Permission.objects.filter(codename__in=MAY)
    for name in (*ADMINS, INSIDER):
        User.objects.create_user(name).user_permissions.set(may)
    first = Plan.from_environment().first_limit
    VelocityLimit.objects.filter(currency="RUB").delete()
    VelocityLimit.objects.create(scope="all", currency="RUB", window="minute", amount=first)
    limits.write_text(f'[0, "{first}"]\n')
    _client, key = create_client("campaign", scopes=[Scope.READ, Scope.WRITE], owner_id=maker.pk)
    print(key)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
