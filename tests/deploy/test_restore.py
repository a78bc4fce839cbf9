"""A backup is put back by a role that reaches nothing but its own database, on Kubernetes too, and to any moment."""

import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from backoffice.local import ROOT
from tests.deploy.check import CHECKS, built
from tests.deploy.objects import OVERLAYS, RESTORE, containers, objects, pods
from tests.drills.backups import SECTION, commands_of

AT_START = "/docker-entrypoint-initdb.d"
SCRIPT = ROOT / "deploy/kubernetes/base/restore-drill.sql"
MAY_DO_TOO_MUCH = r"SUPERUSER|CREATEROLE|REPLICATION|BYPASSRLS|GRANT|pg_"


def test_the_role_of_the_drill_makes_databases_and_no_more() -> None:
    statements = [line for line in SCRIPT.read_text().splitlines() if line and not line.startswith("--")]

    (statement,) = statements
    assert re.fullmatch(r"CREATE ROLE payouts_drill LOGIN CREATEDB;", statement)
    assert not re.search(MAY_DO_TOO_MUCH, statement)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_drills_server_on_kubernetes_has_that_role_and_the_drill_is_it(overlay: str) -> None:
    (pod,) = (pod for where, component, pod in pods() if (where, component) == (overlay, "restore-drill"))
    server, drill = containers(pod)

    (url,) = (each["value"] for each in drill["env"] if each["name"] == "RESTORE_DATABASE_URL")
    (mount,) = (each for each in server["volumeMounts"] if each["mountPath"] == AT_START)
    (volume,) = (each for each in pod["volumes"] if each["name"] == mount["name"])
    maps = {each["metadata"]["name"]: each["data"] for each in objects(overlay, "ConfigMap")}

    assert urlsplit(url).username == "payouts_drill"
    assert maps[volume["configMap"]["name"]] == {SCRIPT.name: SCRIPT.read_text()}
    assert mount["readOnly"] is True


def test_on_one_machine_likewise() -> None:
    services = yaml.safe_load((ROOT / "deploy/compose.production.yaml").read_text())["services"]

    url = services["restore-drill"]["environment"]["RESTORE_DATABASE_URL"]
    (script,) = (each for each in services["restored"]["volumes"] if AT_START in each)

    assert urlsplit(url).username == "payouts_drill"
    assert (ROOT / "deploy" / script.partition(":")[0]).resolve() == SCRIPT
    assert script.endswith(":ro")
    # Until its role is there, the server listens at its socket alone.
    assert "--host 127.0.0.1" in services["restored"]["healthcheck"]["test"][1]


# On Kubernetes, by a Job that no overlay applies

WITHOUT_PODS = re.compile(r"kubectl apply -f - -l 'app\.kubernetes\.io/component notin \(([a-z,-]+)\)'")
COMPONENT = "app.kubernetes.io/component"


def the_job() -> dict[str, Any]:
    (job,) = objects(RESTORE, "Job")
    return job


def test_the_job_does_what_the_page_says_step_by_step() -> None:
    told = [line for block in commands_of(SECTION) for line in block.strip().splitlines()]
    pod = the_job()["spec"]["template"]["spec"]

    done = [
        each["command"][2] if each["command"][:2] == ["sh", "-c"] else " ".join(each["command"])
        for each in containers(pod)
    ]

    assert done == [line.strip() for line in told if not line.strip().endswith("backup --list")]


def test_the_job_begins_nothing_anew_and_ends_with_the_first_step_that_fails() -> None:
    job = the_job()

    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert len(job["spec"]["template"]["spec"]["containers"]) == 1


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_overlay_puts_a_backup_back(overlay: str) -> None:
    assert "restore" not in {component for where, component, _pod in pods() if where == overlay}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_is_applied_before_starts_nothing_of_ours_and_has_all_that_the_job_names(overlay: str) -> None:
    (left_out,) = set(WITHOUT_PODS.findall((ROOT / "docs/recovery.md").read_text()))
    applied = [
        each
        for each in objects(overlay)
        if each["metadata"].get("labels", {}).get(COMPONENT) not in left_out.split(",")
    ]
    there = {(each["kind"], each["metadata"]["name"]) for each in applied}
    pod = the_job()["spec"]["template"]["spec"]

    started = [each for each in applied if each["kind"] in {"Deployment", "Job", "CronJob", "ScaledObject"}]
    assert {each["metadata"]["labels"][COMPONENT] for each in started} <= {"valkey"}
    named = {
        ("ConfigMap", each["configMapRef"]["name"])
        for container in containers(pod)
        for each in container["envFrom"]
        if "configMapRef" in each
    }
    assert named | {("ServiceAccount", pod["serviceAccountName"]), ("NetworkPolicy", "names")} <= there


def test_the_job_reaches_postgresql_in_the_cluster_and_elsewhere_and_the_bucket() -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in objects(RESTORE, "NetworkPolicy")}
    ours = {"matchLabels": {COMPONENT: "restore"}}
    postgresql = {"matchLabels": {"cnpg.io/cluster": "payouts-postgresql"}}
    (managed,) = (
        each["spec"]["egress"]
        for each in objects("managed", "NetworkPolicy")
        if each["metadata"]["name"] == "to-postgresql"
    )

    out = [policy for policy in policies.values() if policy["podSelector"] == ours]
    assert [policy["policyTypes"] for policy in out] == [["Egress"]]
    reached = [(target, port["port"]) for rule in out[0]["egress"] for target in rule["to"] for port in rule["ports"]]
    assert ({"podSelector": postgresql}, 5432) in reached
    assert (managed[0]["to"][0], 5432) in reached
    assert ("0.0.0.0/0", 443) in [(target.get("ipBlock", {}).get("cidr"), port) for target, port in reached]
    (into,) = (policy for policy in policies.values() if policy["podSelector"] == postgresql)
    assert into["ingress"] == [{"from": [{"podSelector": ours}], "ports": [{"port": 5432, "protocol": "TCP"}]}]


# To any moment, by CloudNativePG


@pytest.fixture
def to_a_moment(tmp_path: Path) -> dict[str, Any]:
    """The Cluster of the overlay with the patch that docs/recovery.md adds to it."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    overlay = tmp_path / "deploy/kubernetes/overlays/in-cluster"
    text = (overlay / "kustomization.yaml").read_text()
    (overlay / "kustomization.yaml").write_text(text.replace("patches:\n", "patches:\n  - path: to-a-moment.yaml\n"))
    assert list(CHECKS["kubernetes"](tmp_path)) == []
    (found,) = (each for each in built(overlay) if each["kind"] == "Cluster")
    return found


def test_postgresql_is_put_back_to_a_moment_from_its_log(to_a_moment: dict[str, Any]) -> None:
    (before,) = objects("in-cluster", "Cluster")
    was, spec = before["spec"]["bootstrap"]["initdb"], to_a_moment["spec"]
    recovery = spec["bootstrap"]["recovery"]

    assert spec["bootstrap"].keys() == {"recovery"}
    assert {name: recovery[name] for name in ("database", "owner", "secret")} == {
        name: was[name] for name in ("database", "owner", "secret")
    }
    (source,) = spec["externalClusters"]
    (archiver,), (archived) = spec["plugins"], before["spec"]["plugins"][0]
    assert source["name"] == recovery["source"]
    assert source["plugin"]["name"] == archiver["name"] == archived["name"]
    assert source["plugin"]["parameters"] == {
        "barmanObjectName": archived["parameters"]["barmanObjectName"],
        "serverName": before["metadata"]["name"],
    }
    # The log of before stays as it is: an archive that is not empty is written to by nobody else.
    assert archiver["isWALArchiver"] is True
    assert archiver["parameters"]["serverName"] != before["metadata"]["name"]
