"""What the tests of batches do in a browser."""

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from payouts.models import Batch

BATCHES = "/admin/payouts/batch/"
ADD = f"{BATCHES}add/"
WRONG_ROW = "7;x;RUB;card;4929 1111 2222 3339;=cmd();;4929111122223339"


def address(batch: Batch, name: str = "change") -> str:
    return f"{BATCHES}{batch.pk}/{name}/"


def post_file(browser: Client, content: bytes, name: str = "march.csv") -> Any:
    return browser.post(ADD, {"file": SimpleUploadedFile(name, content)})


def page(browser: Client, batch: Batch, query: str = "") -> str:
    return str(browser.get(f"{address(batch)}{query}").content.decode())


def act(browser: Client, batch: Batch, name: str, **given: Any) -> str:
    batch.refresh_from_db()
    answer = browser.post(address(batch, name), {"version": batch.revision, **given}, follow=True)
    return str(answer.content.decode())
