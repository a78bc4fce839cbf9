"""An image comes of what was checked, and under a name that a registry takes."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from backoffice.local import ROOT

WORKFLOWS = ROOT / ".github/workflows"


def of(name: str) -> dict[str, Any]:
    """The workflow. YAML takes its key `on` for a truth."""
    found: dict[Any, Any] = yaml.safe_load((WORKFLOWS / name).read_text())
    return {str(key) if key is not True else "on": value for key, value in found.items()}


def test_an_image_is_made_by_the_check_alone_and_after_it() -> None:
    assert of("image.yaml")["on"].keys() == {"workflow_call"}
    callers = {
        (path.name, name): job
        for path in WORKFLOWS.glob("*.yaml")
        for name, job in of(path.name)["jobs"].items()
        if job.get("uses") == "$/.github/workflows/image.yaml"
    }

    assert callers.keys() == {("check.yaml", "image")}
    (job,) = callers.values()
    assert job["needs"] == "check"
    # Without a word about success: a job whose need failed is left out.
    assert job["if"] == "github.event_name == 'push' && github.ref == 'refs/heads/main'"


def test_who_calls_gives_the_rights_that_the_image_needs_and_the_check_has_none_of_them() -> None:
    check, image = of("check.yaml"), of("image.yaml")

    assert check["permissions"] == image["permissions"] == {}
    assert check["jobs"]["check"]["permissions"] == {"contents": "read"}
    assert check["jobs"]["image"]["permissions"] == image["jobs"]["image"]["permissions"]


@pytest.mark.parametrize(
    ("repository", "expected"),
    [("payouts/backoffice", "payouts/backoffice"), ("ACME-Pay/Payouts.BackOffice", "acme-pay/payouts.backoffice")],
)
def test_an_images_name_has_no_capitals_whoever_owns_the_repository(
    repository: str, expected: str, tmp_path: Path
) -> None:
    steps = of("image.yaml")["jobs"]["image"]["steps"]
    (step,) = (each for each in steps if each.get("id") == "name")
    output = tmp_path / "output"

    environment = {"PATH": os.environ["PATH"], "GITHUB_REPOSITORY": repository, "GITHUB_OUTPUT": str(output)}
    subprocess.run(["bash", "-e", "-o", "pipefail", "-c", step["run"]], env=environment, check=True)

    assert output.read_text() == f"image=ghcr.io/{expected}\n"


def test_every_step_takes_that_name() -> None:
    text = (WORKFLOWS / "image.yaml").read_text()

    assert "github.repository }}" not in text
    assert set(re.findall(r"IMAGE: (.+)", text)) == {"${{ steps.name.outputs.image }}"}
    assert re.findall(r"subject-name: (.+)", text) == ["${{ steps.name.outputs.image }}"] * 2
