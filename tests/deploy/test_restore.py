"""A backup is put back by a role that reaches nothing but its own database."""

import re
from urllib.parse import urlsplit

import pytest
import yaml

from backoffice.local import ROOT
from tests.deploy.objects import OVERLAYS, containers, objects, pods

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
