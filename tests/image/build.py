"""The Dockerfile, built by buildah, and what came out of it."""

import json
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.stand import ROOT
from tests.image import base
from tests.image.tools import HOME, ImageError, buildah, do

NAME = "localhost/payouts-backoffice:tried"
ARCHIVE = HOME / "image.tar"
CONTEXT = HOME / "context"
INSIDE = Path(__file__).with_name("inside.sh")


@dataclass(frozen=True)
class Image:
    """Mounted at `root`."""

    root: Path
    environment: dict[str, str]
    build: str
    """The commit that it was told."""

    def command(self, *command: str, **more: str) -> list[str]:
        """What runs it inside. Beside the image's own environment it has that of whoever runs it."""
        variables = self.environment | {"HOME": "/nonexistent"} | more
        return [str(INSIDE), str(self.root), *(f"{name}={value}" for name, value in variables.items()), *command]


def build() -> str:
    """Returns the commit that it was built of. Raises ImageError."""
    _lay_context()
    commit = do("git", "rev-parse", "HEAD").strip()
    arguments = {"PYTHON": base.NAME, "BUILD": commit}
    # Without layers kept from before: buildah takes those of another commit, whose BUILD they name.
    buildah(
        *("build", "--isolation", "chroot", "--layers=false", "--tag", NAME),
        *(f"--build-arg={name}={value}" for name, value in arguments.items()),
        *("--file", CONTEXT / "Dockerfile", "--ignorefile", CONTEXT / ".dockerignore", CONTEXT),
    )
    ARCHIVE.unlink(missing_ok=True)
    buildah("push", "--quiet", NAME, f"oci-archive:{ARCHIVE}")
    return commit


@contextmanager
def mounted(commit: str) -> Iterator[Image]:
    told = json.loads(buildah("inspect", "--type", "image", NAME))["OCIv1"]["config"]
    container = buildah("from", NAME).strip()
    try:
        root = Path(buildah("mount", container).strip())
        if told["User"] != "10001:10001" or told["WorkingDir"] != "/app":
            raise ImageError(f"The image runs as {told['User']} in {told['WorkingDir']}, inside.sh as another.")
        yield Image(root, dict(pair.split("=", 1) for pair in told["Env"]), commit)
    finally:
        buildah("umount", container)
        buildah("rm", container)


def _lay_context() -> None:
    """What git has, as it stands here: not what lies beside it."""
    shutil.rmtree(CONTEXT, ignore_errors=True)
    for name in do("git", "ls-files", "-z").split("\0"):
        if name and (ROOT / name).is_file():
            (CONTEXT / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, CONTEXT / name)


def python_for_campaign(image: Image) -> str:
    """For CAMPAIGN_PYTHON: the image's, with our tests beside it."""
    return shlex.join(image.command("python", PYTHONPATH="/mnt"))
