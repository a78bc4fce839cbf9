"""What the product is made of comes from where it should, in one version, and each service gets its own secrets."""

import json
import re
import tomllib
from typing import Any

import pytest
import yaml
from django.conf import settings

from backoffice.environment import SETTINGS
from backoffice.local import ROOT
from payouts.database.rights import APP, OWNER

SECRETS = {name for name, setting in SETTINGS.items() if setting.is_secret} | {
    *("POSTGRES_PASSWORD", "DATABASE_PASSWORD", "REDIS_PASSWORD")
}
# With .env they have all of it, but for what is emptied. The rest is what each has no use for.
EMPTIED = {
    "migrate": {"REDIS_URL", "PROVIDER_TOKEN", "PROVIDER_WEBHOOK_SECRET", "OIDC_CLIENT_SECRET"},
    "web": {"PROVIDER_TOKEN"},
    "cluster": {"PROVIDER_WEBHOOK_SECRET", "OIDC_CLIENT_SECRET"},
}
# Of other services, and of where backups are opened.
NOBODYS = {"POSTGRES_PASSWORD", "DATABASE_PASSWORD", "REDIS_PASSWORD", "BACKUP_IDENTITY", "RESTORE_DATABASE_URL"}
OWN = {
    "provider": {"PROVIDER_TOKEN", "PROVIDER_WEBHOOK_SECRET"},
    "postgres": {"POSTGRES_PASSWORD"},
    "roles": {"POSTGRES_PASSWORD", "DATABASE_PASSWORD"},
    "redis": {"REDIS_PASSWORD"},
}


def _services() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return services


def test_every_package_is_locked_with_its_hashes_and_comes_from_one_registry() -> None:
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    others = [package for package in packages if "virtual" not in package["source"]]

    assert len(others) > 50
    for package in others:
        assert package["source"] == {"registry": "https://pypi.org/simple"}, package["name"]
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else [])]
        assert files, package["name"]
        assert all(file["hash"].startswith("sha256:") for file in files), package["name"]


def test_the_image_takes_uv_in_one_version_and_its_base_from_an_argument_that_a_digest_can_be_added_to() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    rules = json.loads((ROOT / "renovate.json").read_text())

    assert re.findall(r"pip install .*", dockerfile) == ["pip install --no-cache-dir uv==0.13.9"]
    assert {line.split()[1] for line in re.findall(r"^FROM .*", dockerfile, re.MULTILINE)} == {"${PYTHON}"}
    for manager in rules["customManagers"]:
        (pattern,) = manager["matchStrings"]
        found = re.search(pattern.replace("(?<", "(?P<"), dockerfile)
        assert found
        assert found["currentValue"]
    assert "docker:pinDigests" in rules["extends"]


def test_the_image_keeps_the_languages_that_people_can_choose() -> None:
    kept = re.findall(r"! -name (\w+)", (ROOT / "Dockerfile").read_text())

    assert {code for code, _name in settings.LANGUAGES} <= set(kept)


@pytest.mark.parametrize("name", [*EMPTIED, *OWN])
def test_a_service_of_compose_gets_its_own_secrets_only(name: str) -> None:
    service = _services()[name]
    given = service["environment"]

    if name in EMPTIED:
        assert {each for each in SECRETS if given.get(each) == ""} == EMPTIED[name] | NOBODYS
    else:
        assert "env_file" not in service
        assert SECRETS & given.keys() == OWN[name]


def test_every_service_of_compose_is_known_here() -> None:
    assert _services().keys() == EMPTIED.keys() | OWN.keys()


def test_compose_migrates_as_the_owner_and_runs_as_the_role_that_production_has() -> None:
    """Or a right that is missing would be met there first."""
    services = _services()
    roles = {name: services[name]["environment"]["DATABASE_URL"].split(":")[1] for name in EMPTIED}

    assert roles == {"migrate": f"//{OWNER}", "web": f"//{APP}", "cluster": f"//{APP}"}
    assert services["migrate"]["depends_on"] == {"roles": {"condition": "service_completed_successfully"}}
    assert services["roles"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert services["roles"]["volumes"] == ["./deploy/sql/roles.sql:/roles.sql:ro"]


def test_no_password_of_compose_stands_in_the_repository_and_redis_has_one() -> None:
    text = (ROOT / "compose.yaml").read_text()

    passwords = re.findall(r"://\w*:([^/\n]+)@", text)
    assert passwords
    assert all(each.startswith("${") for each in passwords)
    assert "requirepass" in text
    assert all(each.startswith("${") for each in re.findall(r'_(?:PASSWORD|TOKEN): "?([^"\s]+)', text))
