"""What the overlays apply, built once, and the containers in it."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from backoffice.local import ROOT
from tests.deploy.check import built, overlays

OVERLAYS = [path.name for path in overlays(ROOT) if path.parent.name == "overlays"]
# Applied on the day on which a backup is put back, and by no overlay.
RESTORE = "restore"
# Ours; what else an overlay starts is another's program.
IMAGE = "payouts-backoffice"


@cache
def _objects(folder: Path) -> list[dict[str, Any]]:
    return built(folder)


def objects(overlay: str, kind: str = "") -> list[dict[str, Any]]:
    """Those of an overlay, or of RESTORE."""
    found = _objects(ROOT / "deploy/kubernetes" / (RESTORE if overlay == RESTORE else f"overlays/{overlay}"))
    return [each for each in found if each["kind"] == kind or not kind]


def pods() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each pod that an overlay or RESTORE starts: that, the component and its specification."""
    for overlay in (*OVERLAYS, RESTORE):
        for each in objects(overlay):
            if each["kind"] in {"Deployment", "Job", "CronJob"}:
                template = each["spec"]["jobTemplate"]["spec"] if each["kind"] == "CronJob" else each["spec"]
                template = template["template"]
                component = template["metadata"]["labels"]["app.kubernetes.io/component"]
                yield overlay, component, template["spec"]


class Started(NamedTuple):
    """A process of ours, as something starts it."""

    by: str
    service: str
    command: tuple[str, ...]
    settings: Mapping[str, str]
    secrets: frozenset[str]
    """By the names of their files in deploy/secrets, without .env."""


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", ()), *pod["containers"]]


def is_ours(container: dict[str, Any]) -> bool:
    name: str = container["image"]
    return name.rpartition("/")[2].partition(":")[0] == IMAGE


def of_kubernetes() -> Iterator[Started]:
    for overlay, component, pod in pods():
        # RESTORE has the configuration that an overlay has made.
        maps = objects("managed" if overlay == RESTORE else overlay, "ConfigMap")
        config = {each["metadata"]["name"]: each["data"] for each in maps}
        for container in filter(is_ours, containers(pod)):
            sources = container["envFrom"]
            settings = dict(
                pair
                for each in sources
                if "configMapRef" in each
                for pair in config[each["configMapRef"]["name"]].items()
            )
            settings |= {each["name"]: each.get("value", "") for each in container.get("env", ())}
            secrets = frozenset(
                each["secretRef"]["name"].removeprefix("payouts-") for each in sources if "secretRef" in each
            )
            yield Started(f"kubernetes/{overlay}", component, tuple(container["command"]), settings, secrets)
