"""The programs of Debian that building an image without a container engine takes, and how they are run."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tests.bench.stand import ROOT

# Of each package the program that is asked for.
PACKAGES = {"buildah": "buildah", "debootstrap": "debootstrap", "setpriv": "util-linux", "chroot": "coreutils"}
HOME = ROOT / "var" / "image"
LOG = HOME / "log"


class ImageError(Exception):
    """The image cannot be built or run; the text is a sentence for a person."""


def missing() -> str:
    """Why it cannot be built here, as a sentence; empty where it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "The image is built without a container engine on Linux, as root."
    packages = sorted({package for program, package in PACKAGES.items() if shutil.which(program) is None})
    if packages:
        return f"For the image these are missing: apt-get install {' '.join(packages)}."
    return ""


def do(*command: str | Path, folder: Path = ROOT) -> str:
    """What it prints; the rest goes to var/image/log. Raises ImageError."""
    with LOG.open("a") as log:
        log.write(f"\n{' '.join(map(str, command))}\n")
        log.flush()
        done = subprocess.run(
            [str(part) for part in command], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
        )
        output = done.stdout.decode(errors="replace")
        log.write(output)
    if done.returncode:
        raise ImageError(f"{command[0]} failed with {done.returncode}:\n{_tail()}")
    return output


def buildah(*arguments: str | Path) -> str:
    """On a storage of our own."""
    return do("buildah", *_storage(driver()), *arguments)


def has_image(name: str) -> bool:
    try:
        return bool(buildah("images", "--quiet", name).strip())
    except ImageError:
        return False


@cache
def driver() -> str:
    """overlay where the kernel has it for us; vfs works everywhere, and copies all that is below a layer into it."""
    try:
        do("buildah", *_storage("overlay"), "info")
    except ImageError:
        return "vfs"
    return "overlay"


def _storage(kind: str) -> Sequence[str]:
    return ("--root", f"{HOME}/{kind}", "--runroot", f"{HOME}/{kind}-run", "--storage-driver", kind)


def size(folder: Path) -> int:
    """Bytes of the files, each that has several names once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for place, _folders, names in os.walk(folder):
        for name in names:
            found = os.lstat(os.path.join(place, name))
            if (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                total += found.st_size
    return total


def _tail() -> str:
    return LOG.read_text(errors="replace")[-3000:]
