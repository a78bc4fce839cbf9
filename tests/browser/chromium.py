"""The browser of these tests: found on this machine, or installed once.

CHROMIUM in the environment names one; else the PATH and Playwright's own download are looked at. If there is none it
is installed, by apt-get for root and by Playwright for anybody else. That is tried again and again for a while:
another program may hold the package manager's lock, and a mirror may be away for a moment.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL_SECONDS = 900
TRY_AGAIN_SECONDS = 5
LAUNCH_MILLISECONDS = 180_000
# What is awaited on a page comes in a moment; on a machine that is busy with much else it comes late.
PATIENCE_MILLISECONDS = 60_000
ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)
HOW = (
    "These tests need Chromium: install it (apt-get install chromium, or playwright install chromium),"
    " or set CHROMIUM to the path of one."
)


class NoChromiumError(Exception):
    """No browser is here and none could be installed; the text says what to do."""


def path() -> str:
    """Raises NoChromiumError."""
    if chosen := os.environ.get("CHROMIUM"):
        if shutil.which(chosen) is None:
            raise NoChromiumError(f"CHROMIUM names no program: {chosen}. {HOW}")
        return chosen
    if there := _found():
        return there
    with _one_at_a_time():
        give_up = time.monotonic() + INSTALL_SECONDS
        while True:
            if (there := _found()) or ((said := _install()) and (there := _found())):
                return there
            if time.monotonic() > give_up:
                raise NoChromiumError(f"{HOW} Installing it failed: {said}")
            time.sleep(TRY_AGAIN_SECONDS)


def launched(playwright: Playwright, executable: str) -> Browser:
    """A browser with a new profile. Chromium refuses its sandbox to root, and to root alone it is given up."""
    return playwright.chromium.launch(
        executable_path=executable,
        args=ARGUMENTS,
        chromium_sandbox=os.geteuid() != 0,
        timeout=LAUNCH_MILLISECONDS,
    )


def _found() -> str | None:
    for name in NAMES:
        if there := shutil.which(name):
            return there
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).is_file() else None


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    lock = ROOT / "var" / "chromium.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _install() -> str:
    """What the installation said last; it tells by no more than that whether it has worked."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        apt_get = ["apt-get", "-o", f"DPkg::Lock::Timeout={INSTALL_SECONDS}"]
        commands = [[*apt_get, "update"], [*apt_get, "install", "-y", "--no-install-recommends", "chromium"]]
    else:
        commands = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    said = ""
    for command in commands:
        try:
            done = subprocess.run(
                command,
                check=False,
                capture_output=True,
                text=True,
                timeout=2 * INSTALL_SECONDS,
                env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        said = (done.stderr or done.stdout).strip().rpartition("\n")[2]
    return said or "it said nothing."
