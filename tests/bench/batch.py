"""How long a batch takes from upload to its last payout, one worker: `python -m tests.bench.batch [--rows 50000]`.

On services of its own. Every row needs one approval, which the batch's approver gives.
"""

import argparse
import csv
import io
import os
import random
import time
from collections.abc import Callable
from typing import Any

import django

from backoffice.environment import SETTINGS
from backoffice.local.secrets import new_secrets
from backoffice.local.services import throwaway_services


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.batch", description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000, help="of the file (%(default)s)")
    arguments = parser.parse_args()
    with throwaway_services() as services:
        os.environ |= {
            **dict.fromkeys(SETTINGS, ""),  # a developer's .env changes none of them
            **new_secrets(),
            "DATABASE_URL": services.database,  # migrated here too
            "REDIS_URL": services.redis,
            "DJANGO_SETTINGS_MODULE": "backoffice.settings",
            "LOG_LEVEL": "WARNING",
        }
        django.setup()
        measure(arguments.rows)


def measure(rows: int) -> None:
    from django.contrib.auth.models import User
    from django.core.management import call_command

    from payouts.batches import check, decide, submit, upload
    from payouts.models import Batch, Payout

    call_command("migrate", verbosity=0)
    maker, checker = User.objects.create(username="maker"), User.objects.create(username="checker")
    for content, name in ((as_csv(rows), "payouts.csv"), (as_xlsx(rows), "payouts.xlsx")):
        batch: Batch = timed(f"{name}: upload", lambda: upload.store(content, name=name, by=maker))  # noqa: B023
        timed("check", lambda: check.run(batch.pk))  # noqa: B023
    batch = timed("send", lambda: decide.send(batch.pk, by=maker, revision=1))
    timed("approve", lambda: decide.approve(batch.pk, by=checker, revision=2))
    timed("submit", lambda: submit.run(batch.pk))
    assert Payout.objects.filter(approvals_given=1, due_at__isnull=False).count() == rows


def timed(name: str, job: Callable[[], Any]) -> Any:
    began_at = time.monotonic()
    answer = job()
    print(f"{name}: {time.monotonic() - began_at:.1f} s", flush=True)
    return answer


def table(rows: int) -> list[list[Any]]:
    chance = random.Random(7)
    header = ["user_id", "amount", "currency", "kind", "account", "name"]
    return [header] + [
        [
            each + 1,
            chance.randrange(110_000, 900_000),
            "RUB",
            "card",
            f"22{chance.randrange(10**14):014}",
            "Иван",
            "",
            "x",
        ]
        for each in range(rows)
    ]


def as_csv(rows: int) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(table(rows))
    return text.getvalue().encode()


def as_xlsx(rows: int) -> bytes:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in table(rows):
        sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


if __name__ == "__main__":
    main()
