"""A stand-in for python:3.13-slim: a minimal Debian, and this machine's Python in /usr/local."""

import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.image.tools import HOME, ImageError, buildah, do, has_image

NAME = "localhost/stand-in-for-python:3.13-slim"
TREE = HOME / "base"
MADE = HOME / "base.made"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
# What the real one has beside the libraries of Python.
PACKAGES = ("ca-certificates", "netbase", "tzdata")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "test", "tests", "idle_test", "site-packages", "config-*", "*.a")


def make(*, is_fresh: bool) -> None:
    """Where it is not there yet, or anew. Raises ImageError."""
    if is_fresh or not MADE.exists():
        MADE.unlink(missing_ok=True)
        _make_tree()
        MADE.touch()
        _take_in()
    elif not has_image(NAME):
        _take_in()


def _make_tree() -> None:
    shutil.rmtree(TREE, ignore_errors=True)
    site, suite = _debian()
    packages = sorted({*PACKAGES, *_packages_of_libraries()})
    # debootstrap takes no path with a space, and a checkout may have one.
    with tempfile.TemporaryDirectory(prefix="payouts-base-") as made:
        do("debootstrap", "--variant=minbase", f"--include={','.join(packages)}", suite, f"{made}/base", site)
        do("mv", f"{made}/base", TREE)
    _copy_python()
    for folder in ("var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(TREE / folder, ignore_errors=True)
    # This machine may know registries that others do not.
    shutil.copyfile(f"/{CERTIFICATES}", TREE / CERTIFICATES)


def _take_in() -> None:
    container = buildah("from", "scratch").strip()
    buildah("copy", "--quiet", container, TREE, "/")
    for name, value in {"PATH": PATH, "SSL_CERT_FILE": f"/{CERTIFICATES}"}.items():
        buildah("config", "--env", f"{name}={value}", container)
    buildah("commit", "--quiet", container, NAME)
    buildah("rm", container)


def _debian() -> tuple[str, str]:
    """Where this machine has its packages from, and its release: the copied Python needs the same libraries."""
    suite = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    for line in do("apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)").splitlines():
        site, _space, codename = line.partition(" ")
        if codename == suite:
            return site, suite
    raise ImageError("apt knows no packages of this release: apt-get update.")


def _packages_of_libraries() -> Iterator[str]:
    """Of the libraries that Python is linked with. Tk's windows are for nobody here."""
    folder = Path(sys.base_prefix, "lib", f"python{VERSION}", "lib-dynload")
    modules = [path for path in folder.glob("*.so") if not path.name.startswith("_tkinter")]
    linked = do("ldd", Path(sys.base_prefix, "bin", f"python{VERSION}"), *modules)
    for path in sorted(set(re.findall(r"=> (/(?:usr/)?lib/\S+)", linked))):
        for name in (path, f"/usr{path}"):
            try:
                yield do("dpkg", "-S", name).partition(":")[0]
                break
            except ImageError:
                continue


def _copy_python() -> None:
    """As the real one has it: pip too, and no bytecode."""
    prefix, local = Path(sys.base_prefix), TREE / "usr" / "local"
    shutil.copytree(prefix / "lib" / f"python{VERSION}", local / "lib" / f"python{VERSION}", ignore=LEFT_OUT)
    for library in (prefix / "lib").glob("libpython*.so*"):
        shutil.copy2(library, local / "lib", follow_symlinks=False)
    shutil.copy2(prefix / "bin" / f"python{VERSION}", local / "bin")
    for name in ("python3", "python"):
        (local / "bin" / name).symlink_to(f"python{VERSION}")
    do("chroot", TREE, "ldconfig")
    do("chroot", TREE, "/usr/local/bin/python", "-m", "ensurepip", "--default-pip")
    for path in [*local.rglob("*.pyc")]:
        path.unlink()
