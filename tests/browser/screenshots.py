"""`make screenshots`: the pictures of docs/, of the demo's data, on services that live as long as this program.

    make screenshots FOLDER=/tmp/pictures    elsewhere

A picture more is a line more in PICTURES.
"""

import argparse
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path

import django
from PIL import Image
from playwright.sync_api import Browser

from backoffice.environment import SETTINGS
from backoffice.local.secrets import new_secrets
from backoffice.local.services import throwaway_services

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
LIMIT_BYTES = 200_000


@dataclass(frozen=True, slots=True)
class Picture:
    """A screen of screens.py, and as whom and how it is looked at."""

    screen: str
    person: str = "approver"
    language: str = "en"
    theme: str = "light"
    on_phone: bool = False


PICTURES = {
    "start": Picture("start"),
    "payouts": Picture("payouts"),
    "payout": Picture("payout unknown"),
    "approve-dark": Picture("dialog approve", theme="dark"),
    "new-payout": Picture("new payout", person="operator"),
    "approvals": Picture("approvals"),
    "bulk": Picture("bulk decision"),
    "batch": Picture("batch to send", person="operator"),
    "payouts-russian": Picture("payouts of a stage", language="ru"),
    "operations": Picture("operations", person="admin"),
    "phone": Picture("payout awaiting_approval", on_phone=True),
}


@contextmanager
def product() -> Iterator[str]:
    """The address of a server in this process, over a database with the demo's data."""
    with throwaway_services() as services:
        os.environ |= {
            **dict.fromkeys(SETTINGS, ""),  # a developer's .env changes none of them
            **new_secrets(),
            "DATABASE_URL": services.database,
            "REDIS_URL": services.redis,
            "DJANGO_SETTINGS_MODULE": "backoffice.settings",
            "DJANGO_DEBUG": "on",
            "LOG_LEVEL": "ERROR",
            "LOG_FORMAT": "console",
            "PROVIDER_URL": "http://127.0.0.1:9",
        }
        django.setup()
        from django.conf import settings
        from django.contrib.auth.models import User
        from django.core.management import call_command
        from django.utils import timezone
        from pytest_django.live_server_helper import LiveServer

        from payouts.management.commands import demo
        from payouts.models import Heartbeat
        from tests import recipes
        from tests.browser import rows

        with tempfile.TemporaryDirectory() as folder:
            demo.KEPT = Path(folder) / "demo.json"
            call_command("migrate", verbosity=0)
            call_command("demo", stdout=StringIO())
        Heartbeat.objects.create(cluster="one")  # as if a worker ran
        rows.sampled(timezone.now())
        recipes.checked_batch(
            *recipes.batch_rows(12),
            "13;1.005;RUB;card;4111 1111 1111 1112;Анна Ким;;",
            by=User.objects.get(username="operator"),
            name="november.csv",
        )
        settings.DEBUG = False  # or the pages say that this is a copy for development
        settings.ALLOWED_HOSTS = ["127.0.0.1"]
        warnings.filterwarnings("ignore", "No directory at")  # for collected static files, which it does without
        server = LiveServer("127.0.0.1")
        try:
            yield server.url
        finally:
            server.stop()


def taken(picture: Picture, browser: Browser, origin: str) -> bytes:
    from django.contrib.auth.models import User

    from tests.browser import visit
    from tests.browser.screens import SCREENS

    session = visit.session(User.objects.get(username=picture.person), origin)
    size = visit.PHONE if picture.on_phone else visit.DESK
    context = visit.context(
        browser, origin, session=session, language=picture.language, theme=picture.theme, size=size
    )
    visit.hold_still(context)
    try:
        page = context.new_page()
        SCREENS[picture.screen].open(page)
        return page.screenshot(animations="disabled", caret="hide")
    finally:
        context.close()


def small(png: bytes) -> bytes:
    """The same in a palette of its own; in fewer colours only if it is large still."""
    image = Image.open(BytesIO(png)).convert("RGB")
    written = b""
    for colours in (256, 128, 64):
        out = BytesIO()
        image.quantize(colours, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        written = out.getvalue()
        if len(written) < LIMIT_BYTES:
            break
    return written


def main() -> None:
    from tests.browser import aside, chromium

    parser = argparse.ArgumentParser(prog="make screenshots", description="Take the pictures of docs/ anew.")
    parser.add_argument("--folder", type=Path, default=DOCS, help="where they go (%(default)s)")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    executable = chromium.path()
    with product() as origin, aside.browser(executable) as browser:
        for name, picture in PICTURES.items():
            path = folder / f"{name}.png"
            path.write_bytes(small(taken(picture, browser, origin)))
            print(f"{path}: {path.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
