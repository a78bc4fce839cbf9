"""Every file that deploys the product, held to what reads it: `python -m tests.deploy.check`, of `make check`.

Each check takes the root of a tree and yields a sentence for each fault, so that tests can hand it a tree with one. A
check whose tool is not on this machine is left out, and a line says so.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator

from backoffice.local import ROOT

# The oldest Kubernetes that the manifests are for, and the newest whose schemas there are.
KUBERNETES = ("1.31", "1.37")
# Debian's package, unpacked there by .ci/run.
PROMETHEUS = ROOT / "var" / "tools" / "prometheus" / "usr" / "bin"
WITHIN_SECONDS = 300


class AwayError(LookupError):
    """A tool is not on this machine; the text names it."""


def tool(name: str) -> str:
    """The program's path: of our own environment, of this machine, or Debian's. Raises AwayError."""
    places = (str(Path(sys.executable).parent), os.environ.get("PATH", ""), str(PROMETHEUS))
    if found := shutil.which(name, path=os.pathsep.join(places)):
        return found
    raise AwayError(f"{name} is not on this machine")


def run(root: Path, name: str, *arguments: str | Path, **variables: str) -> Iterator[str]:
    """What the tool says when it fails, as one fault."""
    done = subprocess.run(
        [tool(name), *map(str, arguments)],
        cwd=root,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_SECONDS,
    )
    if done.returncode:
        yield f"{name}: {(done.stdout + done.stderr).strip()}"


def overlays(root: Path) -> list[Path]:
    """Whatever somebody applies."""
    files = (root / "deploy/kubernetes").rglob("kustomization.yaml")
    return sorted(path.parent for path in files if path.parent.name != "base")


def built(overlay: Path) -> list[dict[str, Any]]:
    """The objects of an overlay as they are applied. Raises ValueError with what kustomize finds wrong."""
    done = subprocess.run(
        [tool("kubectl"), "kustomize", str(overlay)],
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_SECONDS,
    )
    if done.returncode or done.stderr:  # a warning is of something that will go
        raise ValueError(f"kubectl kustomize {overlay.name}: {done.stderr.strip()}")
    return [found for found in yaml.safe_load_all(done.stdout) if found]


def kubernetes(root: Path) -> Iterator[str]:
    """Kubernetes knows every object of every overlay, and every field of it."""
    found: dict[str, dict[str, Any]] = {}
    for overlay in overlays(root):
        try:
            found |= {yaml.safe_dump(each): each for each in built(overlay)}
        except ValueError as error:
            yield str(error)
    schemas = {
        path.stem: json.loads(path.read_text()) for path in (root / "deploy/kubernetes/schemas").glob("*.json")
    }
    with tempfile.TemporaryDirectory() as folder:
        theirs = Path(folder, "objects.yaml")
        theirs.write_text("---\n".join(text for text, each in found.items() if each["kind"] not in schemas))
        for version in KUBERNETES if theirs.stat().st_size else ():
            yield from _validated(theirs, version)
    for each in found.values():
        for fault in Draft7Validator(schemas.get(each["kind"], True)).iter_errors(each):
            yield f"{each['kind']} {each['metadata']['name']}: {fault.json_path}: {fault.message}"


def _validated(file: Path, version: str) -> Iterator[str]:
    """It warns of a kind that it does not know, and then ends well: a warning is a fault."""
    done = subprocess.run(
        [tool("kubernetes-validate"), "--strict", "--kubernetes-version", version, str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_SECONDS,
    )
    said = (done.stdout + done.stderr).splitlines()
    bad = [line for line in said if not line.startswith("INFO ")]
    if done.returncode or bad or not said:
        yield f"kubernetes-validate {version}: " + "; ".join(bad or said)


def compose(root: Path) -> Iterator[str]:
    files = [root / "compose.yaml", root / "deploy/compose.production.yaml"]
    yield from run(root, "check-jsonschema", "--builtin-schema", "vendor.compose-spec", *files)


def workflows(root: Path) -> Iterator[str]:
    files = sorted((root / ".github/workflows").glob("*.yaml"))
    yield from run(root, "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files)
    yield from run(root, "zizmor", "--offline", "--no-progress", "--persona", "pedantic", root / ".github")


def renovate(root: Path) -> Iterator[str]:
    yield from run(root, "check-jsonschema", "--builtin-schema", "vendor.renovate", root / "renovate.json")


def fly(root: Path) -> Iterator[str]:
    yield from run(root, "check-jsonschema", "--schemafile", root / "deploy/schemas/fly.json", root / "fly.toml")


def image(root: Path) -> Iterator[str]:
    yield from run(root, "hadolint", root / "Dockerfile")


def proxy(root: Path) -> Iterator[str]:
    """The proxy takes its file, and finds it laid out as it would lay it out itself."""
    file = root / "deploy/caddy/Caddyfile"
    with tempfile.TemporaryDirectory() as home:
        variables = {"DOMAIN": "payouts.example.com", "HOME": home, "XDG_DATA_HOME": home, "XDG_CONFIG_HOME": home}
        yield from run(root, "caddy", "validate", "--adapter", "caddyfile", "--config", file, **variables)
        yield from run(root, "caddy", "fmt", "--diff", file, **variables)


def yaml_files(root: Path) -> Iterator[str]:
    files = [*root.glob("*.yaml"), *(root / ".github").rglob("*.yaml"), *(root / "deploy").rglob("*.yaml")]
    yield from run(
        root, "yamllint", "--strict", "--format", "parsable", "--config-file", ROOT / ".yamllint.yaml", *files
    )


def alerts(root: Path) -> Iterator[str]:
    folder = root / "deploy/prometheus"
    yield from run(root, "promtool", "check", "rules", "--lint-fatal", folder / "rules.yaml")
    yield from run(root, "promtool", "test", "rules", folder / "rules_test.yaml")


type Check = Callable[[Path], Iterator[str]]

CHECKS: dict[str, Check] = {
    "kubernetes": kubernetes,
    "compose": compose,
    "workflows": workflows,
    "renovate": renovate,
    "fly": fly,
    "image": image,
    "proxy": proxy,
    "yaml": yaml_files,
    "alerts": alerts,
}


def main(checks: Mapping[str, Check] = CHECKS) -> int:
    faults = 0
    for name, check in checks.items():
        try:
            found = list(check(ROOT))
        except AwayError as away:
            print(f"deploy: {name} left out: {away}.")
            continue
        faults += len(found)
        for fault in found:
            print(f"deploy: {name}: {fault}", file=sys.stderr)
    print(f"deploy: {len(checks)} checks, {faults} faults.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
