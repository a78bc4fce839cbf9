"""The people of the campaign and the client whose owner is the maker. Prints the client's key.

python -m tests.campaign.people
"""

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402

from payouts.clients import create_client  # noqa: E402
from payouts.models import Scope  # noqa: E402

MAKER, CHECKERS = "maker", ("checker", "second checker")


def main() -> None:
    maker = User.objects.create_user(MAKER)
    for name in CHECKERS:
        User.objects.create_user(name)
    _client, key = create_client("campaign", scopes=[Scope.READ, Scope.WRITE], owner_id=maker.pk)
    print(key)


if __name__ == "__main__":
    main()
