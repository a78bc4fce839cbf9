"""A fault in any file that deploys the product turns its check red, and says where."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from backoffice.local import ROOT
from tests.deploy.check import CHECKS, AwayError, main, run, tool

FILES = ("Dockerfile", "compose.yaml", "fly.toml", "renovate.json")
FOLDERS = ("deploy", ".github")

FAULTS = [
    ("kubernetes", "deploy/kubernetes/base/web.yaml", "containerPort: 8000", "containerPorts: 8000", "containerPort"),
    ("kubernetes", "deploy/kubernetes/base/web.yaml", "periodSeconds: 2\n", "periodSeconds: soon\n", "periodSeconds"),
    ("kubernetes", "deploy/kubernetes/base/pdb.yaml", "PodDisruptionBudget", "PodDisruption", "PodDisruption"),
    ("kubernetes", "deploy/kubernetes/base/hpa.yaml", "autoscaling/v2", "autoscaling/v2beta2", "v2beta2"),
    ("kubernetes", "deploy/kubernetes/base/kustomization.yaml", "  - hpa.yaml", "  - hpas.yaml", "hpas.yaml"),
    ("kubernetes", "deploy/kubernetes/base/scaledobject.yaml", "targetValue:", "target:", "target"),
    (
        "kubernetes",
        "deploy/kubernetes/restore/restore-job.yaml",
        "backoffLimit: 0",
        "backOffLimit: 0",
        "backOffLimit",
    ),
    ("kubernetes", "deploy/kubernetes/overlays/in-cluster/postgresql.yaml", "method: any", "method: all", "method"),
    ("kubernetes", "deploy/kubernetes/overlays/in-cluster/postgresql.yaml", "s3://", "s4://", "destinationPath"),
    ("kubernetes", "deploy/kubernetes/overlays/in-cluster/postgresql.yaml", '"0 30 1', '"30 1', "schedule"),
    ("compose", "deploy/compose.production.yaml", "stop_grace_period", "stop_grace", "stop_grace"),
    ("compose", "compose.yaml", "healthcheck:", "health_check:", "health_check"),
    ("workflows", ".github/workflows/check.yaml", "runs-on:", "runs-in:", "runs-on"),
    ("workflows", ".github/workflows/check.yaml", "persist-credentials: false", "fetch-depth: 1", "artipacked"),
    (
        "workflows",
        ".github/workflows/image.yaml",
        "@3d3c42e5aac5ba805825da76410c181273ba90b1",
        "@v7",
        "unpinned-uses",
    ),
    ("workflows", ".github/workflows/nightly.yaml", '"$TARGET"', "${{ matrix.target }}", "template-injection"),
    (
        "workflows",
        ".github/workflows/check.yaml",
        "permissions: {}",
        "permissions: write-all",
        "excessive-permissions",
    ),
    ("renovate", "renovate.json", '"automerge": false', '"automerge": "never"', "automerge"),
    ("fly", "fly.toml", "internal_port = 8000", 'internal_port = "8000"', "internal_port"),
    ("fly", "fly.toml", "release_command_timeout", "release_timeout", "release_timeout"),
    ("image", "Dockerfile", "uv==", "uv>", "DL3013"),
    ("proxy", "deploy/caddy/Caddyfile", "request_buffers", "request_buffer", "request_buffer"),
    ("proxy", "deploy/caddy/Caddyfile", "\t\tmax_size", "\t max_size", "max_size"),
    ("yaml", "deploy/kubernetes/base/hpa.yaml", "minReplicas: 2", "minReplicas: 2  ", "trailing-spaces"),
    ("yaml", ".github/workflows/check.yaml", "jobs:", "jobs: {}\njobs:", "key-duplicates"),
    ("alerts", "deploy/prometheus/rules.yaml", "expr:", "expression:", "expression"),
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path / name)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def _needs(check: str) -> None:
    if check == "alerts":
        try:
            tool("promtool")
        except AwayError as away:
            pytest.skip(str(away))


@pytest.mark.parametrize("check", CHECKS)
def test_each_check_finds_nothing_wrong_with_the_tree(check):
    _needs(check)

    assert list(CHECKS[check](ROOT)) == []


@pytest.mark.parametrize(
    ("check", "file", "right", "wrong", "said"), FAULTS, ids=[f"{fault[0]}-{fault[3].strip()}" for fault in FAULTS]
)
def test_a_fault_in_a_file_turns_its_check_red(tree, check, file, right, wrong, said):
    _needs(check)
    text = (tree / file).read_text()
    assert right in text

    (tree / file).write_text(text.replace(right, wrong))

    faults = list(CHECKS[check](tree))
    assert faults
    assert said in " ".join(faults)


def test_what_a_machine_has_no_tool_for_is_left_out_in_one_line(capsys):
    def away(root: Path) -> Iterator[str]:
        yield from run(root, "no-such-program")

    assert main({"alerts": away}) == 0

    assert capsys.readouterr().out.splitlines() == [
        "deploy: alerts left out: no-such-program is not on this machine.",
        "deploy: 1 checks, 0 faults.",
    ]


def test_every_check_has_a_fault_here():
    assert {check for check, *_rest in FAULTS} == CHECKS.keys()
