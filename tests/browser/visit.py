"""A person's browser: language, theme, size, and the session of one who has logged in."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, BrowserContext

from tests.browser.chromium import PATIENCE_MILLISECONDS

DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


def context(
    browser: Browser,
    origin: str,
    *,
    session: Any = None,
    language: str = "en",
    theme: str = "light",
    size: dict[str, int] = DESK,
) -> BrowserContext:
    """With the cookie of `session`, or nobody's. Motion is reduced: what is looked at stands where it will stay."""
    made = browser.new_context(
        base_url=origin,
        locale=language,
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        viewport={"width": size["width"], "height": size["height"]},
    )
    made.set_default_timeout(PATIENCE_MILLISECONDS)
    if session is not None:
        made.add_cookies([session])
    return made


def hold_still(context: BrowserContext) -> None:
    """No page looks again by itself, as that of a payout that is being paid does: axe would lose what it reads."""
    context.add_init_script("window.setInterval = () => 0")


def session(user: User, origin: str) -> Any:
    """The cookie of one who has logged in."""
    client = Client()
    client.force_login(user, backend="payouts.staff.authority.SealedBackend")
    return {"name": settings.SESSION_COOKIE_NAME, "value": client.session.session_key, "url": origin}
