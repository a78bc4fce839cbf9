"""What every pod has, whatever it runs: no rights, limits, names that stand for one version."""

import re
import shutil

import pytest
from django.core.management import call_command
from django.db import connection

from backoffice.local import ROOT
from backoffice.serve import STOP_WITHIN_SECONDS
from tests.deploy.check import built
from tests.deploy.objects import OVERLAYS, containers, is_ours, objects, pods

NO_RIGHTS = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
COMPONENT = "app.kubernetes.io/component"
PODS = {f"{overlay}-{component}": pod for overlay, component, pod in pods()}


def _each(component: str) -> list[dict]:
    found = [pod for name, pod in PODS.items() if name.endswith(f"-{component}")]
    assert len(found) == len(OVERLAYS)
    return found


def test_both_overlays_start_everything():
    ours = {"web", "cluster", "exporter", "migrate", "backup", "restore-drill"}

    assert OVERLAYS == ["in-cluster", "managed"]
    for overlay in OVERLAYS:
        there = {name.removeprefix(f"{overlay}-") for name in PODS if name.startswith(f"{overlay}-")}
        assert there - {"valkey"} == ours


@pytest.mark.parametrize("name", PODS)
def test_a_pod_has_no_rights_and_writes_to_what_goes_with_it(name):
    pod = PODS[name]

    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert "hostNetwork" not in pod
    for container in containers(pod):
        assert container["securityContext"].items() >= NO_RIGHTS.items()
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        if is_ours(container):
            assert pod["securityContext"]["runAsUser"] == 10001
            assert "runAsUser" not in container["securityContext"]
            assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]
    for volume in pod["volumes"]:
        assert volume.keys() - {"name"} <= {"emptyDir", "secret", "configMap", "ephemeral"}
        assert "emptyDir" not in volume or volume["emptyDir"]["sizeLimit"]


def test_the_user_is_that_of_the_image():
    dockerfile = (ROOT / "Dockerfile").read_text()

    assert re.findall(r"^USER (\S+)", dockerfile, re.MULTILINE) == ["10001:10001"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_one_tag_stands_for_the_release_and_in_the_name_of_its_migration(overlay):
    images = {
        container["image"]
        for name, pod in PODS.items()
        if name.startswith(overlay)
        for container in filter(is_ours, containers(pod))
    }
    (job,) = objects(overlay, "Job")

    (image,) = images
    tag = image.rpartition(":")[2]
    assert re.fullmatch(r"[0-9a-f]{40}", tag)
    assert job["metadata"]["name"] == f"payouts-migrate-{tag}"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_registry_may_have_a_port_in_its_name(overlay, tmp_path):
    shutil.copytree(ROOT / "deploy/kubernetes", tmp_path / "kubernetes")
    folder = tmp_path / "kubernetes/overlays" / overlay
    file = folder / "kustomization.yaml"
    text = file.read_text().replace("newName: registry.example.com/", "newName: registry.example.com:5000/team/")
    file.write_text(text)

    (job,) = (each for each in built(folder) if each["kind"] == "Job")

    (container,) = job["spec"]["template"]["spec"]["containers"]
    registry, tag = container["image"].split("/payouts-backoffice:")
    assert registry == "registry.example.com:5000/team"
    assert job["metadata"]["name"] == f"payouts-migrate-{tag}"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_change_of_the_configuration_replaces_pods_and_leaves_the_finished_job_as_it_is(overlay):
    """Kubernetes refuses to change a Job, and pods see only another name."""
    names = {each["metadata"]["name"]: each["data"] for each in objects(overlay, "ConfigMap")}
    told = {
        name.removeprefix(f"{overlay}-"): each["configMapRef"]["name"]
        for name, pod in PODS.items()
        if name.startswith(overlay)
        for container in filter(is_ours, pod["containers"])
        for each in container["envFrom"]
        if "configMapRef" in each
    }

    assert told.pop("migrate") == "payouts-config-of-migrate"
    (hashed,) = set(told.values())
    assert re.fullmatch(r"payouts-config-[a-z0-9]{10}", hashed)
    assert names[hashed] == names["payouts-config-of-migrate"]


def test_no_image_goes_by_a_name_that_means_another_one_tomorrow():
    for pod in PODS.values():
        for container in containers(pod):
            assert re.search(r":(?!latest$)[\w.-]+$", container["image"])


def test_whoever_is_stopped_has_the_time_that_it_takes():
    for pod in _each("web"):
        (web,) = pod["containers"]
        sleep = web["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pod["terminationGracePeriodSeconds"] == 45
        assert sleep + STOP_WITHIN_SECONDS < 45
    for pod in _each("cluster"):
        assert pod["terminationGracePeriodSeconds"] == 80


def test_nothing_of_a_new_version_runs_on_an_old_schema():
    for component in ("web", "cluster", "exporter"):
        for pod in _each(component):
            (first,) = pod["initContainers"]
            assert first["command"] == ["python", "manage.py", "migrate", "--check"]


@pytest.mark.django_db
def test_what_pods_wait_for_ends_well_on_a_schema_that_is_made_and_not_on_one_that_is_not():
    call_command("migrate", check_unapplied=True, verbosity=0)

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL search_path = pg_temp")
    with pytest.raises(SystemExit) as ended:
        call_command("migrate", check_unapplied=True, verbosity=0)

    assert ended.value.code == 1


def test_the_database_holds_the_connections_of_all_that_may_run():
    (cluster,) = objects("in-cluster", "Cluster")
    (web,) = objects("in-cluster", "HorizontalPodAutoscaler")
    (scaled,) = objects("in-cluster", "ScaledObject")
    environment = {
        each["name"]: int(each["value"])
        for each in PODS["in-cluster-web"]["containers"][0]["env"]
        if each["name"].startswith("WEB_")
    }
    # One each for workers, sentinel, monitor, pusher, supervisor and the long tasks' worker, and some to spare.
    of_a_cluster = 9
    # A rollout has one of each more; for the exporter, jobs and people there are twenty.
    pods_of_web, clusters = web["spec"]["maxReplicas"] + 1, scaled["spec"]["maxReplicaCount"] + 1
    needed = pods_of_web * environment["WEB_CONCURRENCY"] * environment["WEB_THREADS"] + clusters * of_a_cluster + 20

    assert needed <= int(cluster["spec"]["postgresql"]["parameters"]["max_connections"])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_no_policy_allows_is_denied(overlay):
    policies = {each["metadata"]["name"]: each["spec"] for each in objects(overlay, "NetworkPolicy")}

    assert policies["nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert all(policy["policyTypes"] for policy in policies.values())


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_names_are_looked_up_at_a_cache_on_the_node_too(overlay):
    """NodeLocal DNSCache: pods of its own at an address of the node, which no selector of kube-dns finds."""
    (names,) = (each["spec"] for each in objects(overlay, "NetworkPolicy") if each["metadata"]["name"] == "names")
    (rule,) = names["egress"]

    blocks = [each["ipBlock"]["cidr"] for each in rule["to"] if "ipBlock" in each]
    pods_of = {each["podSelector"]["matchLabels"]["k8s-app"] for each in rule["to"] if "podSelector" in each}
    assert blocks == ["169.254.20.10/32"]
    assert pods_of == {"kube-dns", "node-local-dns"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_a_service_or_a_policy_selects_is_there(overlay):
    there = {name.removeprefix(f"{overlay}-") for name in PODS if name.startswith(f"{overlay}-")}
    selectors = [each["spec"]["selector"] for each in objects(overlay, "Service")]
    selectors += [each["spec"]["podSelector"].get("matchLabels", {}) for each in objects(overlay, "NetworkPolicy")]
    named = {each[COMPONENT] for each in selectors if COMPONENT in each}
    for policy in objects(overlay, "NetworkPolicy"):
        for each in policy["spec"]["podSelector"].get("matchExpressions", ()):
            named |= set(each["values"])

    assert named <= there


def test_instances_of_postgresql_ask_each_other_whether_they_live():
    """A primary that reaches neither Kubernetes nor another's port 8000 ends itself (CloudNativePG 1.27)."""
    policies = {each["metadata"]["name"]: each["spec"] for each in objects("in-cluster", "NetworkPolicy")}
    of_its_like = [{"podSelector": policies["from-postgresql"]["podSelector"]}]

    for rules, whom in (
        (policies["into-postgresql"]["ingress"], "from"),
        (policies["from-postgresql"]["egress"], "to"),
    ):
        (ports,) = ([port["port"] for port in rule["ports"]] for rule in rules if rule.get(whom) == of_its_like)
        assert ports == [5432, 8000]
