"""What the files of a deployment name is there: commands, settings, secrets, ports, paths."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands, load_command_class
from django.urls import Resolver404, resolve

from backoffice.environment import SETTINGS
from backoffice.local import ROOT
from tests.deploy.objects import OVERLAYS, Started, is_ours, objects, of_kubernetes, pods

SECRETS_FOLDER = ROOT / "deploy" / "secrets"
# Read by libraries as they always do.
OF_LIBRARIES = {
    "AWS_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
}
# Of PostgreSQL and Valkey beside ours.
OF_OTHERS = {"postgres": {"POSTGRES_PASSWORD"}, "valkey": {"REDIS_PASSWORD"}}
OPEN_TO_OTHERS = {"DOMAIN", "POSTGRES_DB", "POSTGRES_INITDB_ARGS", "POSTGRES_HOST_AUTH_METHOD"}
# It has no password: what it leads to is reached by the drill alone, and is empty but for it.
OF_THE_DRILL = "RESTORE_DATABASE_URL"
OF_ACCOUNTS = re.compile(r"PROVIDER_MAIN_[A-Z_]+")
# Each process, and the files of secrets that it is handed: nothing of the providers for the web, which strangers
# reach, and nothing of the owner's for what runs all day.
HANDED = {
    "web": {"keys", "database", "redis", "web", "traces"},
    "cluster": {"keys", "database", "redis", "provider", "checkpoints", "traces"},
    "exporter": {"keys", "database"},
    "migrate": {"keys", "database-owner"},
    "backup": {"keys", "database-direct", "backups"},
    "restore-drill": {"keys", "database", "restore"},
    "restore": {"keys", "database-owner", "restore"},
    "proxy": set(),
    "postgres": {"postgres"},
    "redis": {"valkey"},
    "restored": set(),
}


def _production() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.production.yaml").read_text())
    return found


def _variables(path: Path) -> dict[str, str]:
    lines = (line for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def of_compose() -> Iterator[Started]:
    for name, service in _production()["services"].items():
        files = [each["path"] for each in service.get("env_file", ())]
        settings = _variables(ROOT / "deploy/config.env") if "config.env" in files else {}
        secrets = frozenset(Path(each).stem for each in files if each.startswith("secrets/"))
        command = tuple(service.get("command", ()))
        if command[:2] == ("sh", "-c") and "manage.py" in command[2]:
            command = tuple(re.findall(r"python manage\.py [\w -]+(?= \|\|)", command[2])[0].split())
        yield Started("compose", name, command, settings | service.get("environment", {}), secrets)


def of_fly() -> Iterator[Started]:
    config = tomllib.loads((ROOT / "fly.toml").read_text())
    release = shlex.split(config["deploy"]["release_command"])[-1]
    commands = config["processes"] | {"migrate": re.findall(r"python .*", release)[0]}
    for name, command in commands.items():
        yield Started("fly", name, tuple(command.split()), config["env"], frozenset())


STARTED = [*of_kubernetes(), *of_compose(), *of_fly()]
OURS = [each for each in STARTED if each.command[:1] == ("python",)]


def _ids(started: Started) -> str:
    return f"{started.by}-{started.service}-{' '.join(started.command[-2:])}"


@pytest.mark.parametrize("started", OURS, ids=_ids)
def test_a_command_is_there_and_takes_its_options(started):
    if started.command[1] == "-m":
        assert started.command[2] == "backoffice.serve"
        assert started.command[3:] == ("--host", "0.0.0.0")
        return

    _python, program, name, *options = started.command

    assert program == "manage.py"
    command = load_command_class(get_commands()[name], name)
    command.create_parser("manage.py", name).parse_args(options)


def test_the_programs_that_are_asked_whether_a_process_lives_are_there():
    probes = {
        tuple(container[probe]["exec"]["command"])
        for _overlay, _component, pod in pods()
        for container in filter(is_ours, pod["containers"])
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
        if "exec" in container.get(probe, {})
    }
    probes.add(tuple(_production()["services"]["cluster"]["healthcheck"]["test"][1:]))

    assert probes == {("python", "manage.py", "cluster", "--check")}
    load_command_class(get_commands()["cluster"], "cluster").create_parser("manage.py", "cluster").parse_args(
        ["--check"]
    )


@pytest.mark.parametrize("started", STARTED, ids=_ids)
def test_what_is_set_openly_is_a_setting_and_no_secret(started):
    for name, value in started.settings.items():
        if name in OPEN_TO_OTHERS:
            continue
        assert name in SETTINGS
        assert not SETTINGS[name].is_secret or name == OF_THE_DRILL
        if value:
            SETTINGS[name].kind(value)


@pytest.mark.parametrize("name", [path.name.removesuffix(".env.example") for path in SECRETS_FOLDER.iterdir()])
def test_a_file_of_secrets_names_what_is_read(name):
    variables = _variables(SECRETS_FOLDER / f"{name}.env.example")

    assert variables
    for each in variables:
        assert (
            each in SETTINGS
            or each in OF_LIBRARIES
            or each in OF_OTHERS.get(name, ())
            or (name == "provider" and OF_ACCOUNTS.fullmatch(each))
        )


def test_every_secret_setting_stands_in_a_file_and_no_process_has_two_of_one_name():
    files = {path.name.removesuffix(".env.example"): _variables(path) for path in SECRETS_FOLDER.iterdir()}
    # docs/providers.md: PROVIDER_URL and its like are an account without a name.
    elsewhere = {"PROVIDER_TOKEN", OF_THE_DRILL}

    named = {each for variables in files.values() for each in variables}
    assert {name for name, setting in SETTINGS.items() if setting.is_secret} - named == elsewhere
    for started in STARTED:
        handed = [each for file in started.secrets for each in files[file]]
        assert len(handed) == len(set(handed)), started


@pytest.mark.parametrize("started", [each for each in STARTED if each.by != "fly"], ids=_ids)
def test_a_process_is_handed_its_own_secrets_only(started):
    handed = HANDED[started.service]
    if started.command[-1:] == ("--check",):  # an initContainer
        handed = {"keys", "database"}

    assert started.secrets == handed


def test_the_document_has_each_file_of_secrets():
    section = (ROOT / "docs/deploy.md").read_text().partition("## Secrets")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.+?`(?:, `.+?`)*) \|", section, re.MULTILINE)

    named = [name for row in rows for name in re.findall(r"`([a-z-]+)`", row)]
    assert sorted(named) == sorted(
        path.name.removesuffix(".env.example") for path in SECRETS_FOLDER.glob("*.example")
    )


def test_the_document_says_which_secrets_may_be_missing():
    optional = {
        each["secretRef"]["name"].removeprefix("payouts-")
        for _overlay, _component, pod in pods()
        for container in pod["containers"]
        for each in container.get("envFrom", ())
        if each.get("secretRef", {}).get("optional")
    }

    (told,) = re.findall(r"and so on; ([^.]+?) may be missing", (ROOT / "docs/deploy.md").read_text())
    assert set(re.findall(r"`([a-z]+)`", told)) == optional


def test_names_are_looked_up_where_postgresql_is_applied_before_the_rest():
    """Its own policy denies what it does not allow, and allows no look-up: that is in another file."""
    folder = ROOT / "deploy/kubernetes"
    (files,) = re.findall(r"kubectl -n payouts apply ((?:-f \S+ ?)+)", (ROOT / "docs/deploy.md").read_text())

    applied = [
        each
        for file in re.findall(r"-f (\S+?)`?(?= |$)", files)
        for each in yaml.safe_load_all((ROOT / file).read_text())
    ]
    ports = {
        port["port"]
        for each in applied
        if each["kind"] == "NetworkPolicy" and each["spec"]["podSelector"] == {}
        for rule in each["spec"].get("egress", ())
        for port in rule["ports"]
    }
    assert ports == {53}
    assert folder / "overlays/in-cluster/postgresql.yaml" in [ROOT / each.strip("`") for each in files.split()]


def test_on_one_machine_the_backup_of_an_upgrade_comes_before_its_migrations():
    """What `backup` depends on is run first, with the IMAGE of now."""
    text = (ROOT / "docs/upgrading.md").read_text().partition("## One machine")[2]

    assert 0 < text.index("run --rm --no-deps backup python manage.py backup") < text.index("export IMAGE")
    assert "migrate" in _production()["services"]["backup"]["depends_on"]


def test_what_goes_past_a_pooler_is_told_of_none():
    past = [each for each in STARTED if each.secrets & {"database-owner", "database-direct"}]

    assert {each.service for each in past} == {"migrate", "backup", "restore"}
    assert all(each.settings["DATABASE_POOLER"] == "" for each in past)


def test_files_of_secrets_are_kept_out_of_the_repository():
    assert "/deploy/secrets/*.env" in (ROOT / ".gitignore").read_text().splitlines()
    assert {path.suffix for path in SECRETS_FOLDER.iterdir()} <= {".example", ".env"}


def test_a_port_is_the_one_that_its_process_listens_at():
    for overlay, component, pod in pods():
        for container in pod["containers"]:
            listened = {
                int(each["value"]) for each in container.get("env", ()) if re.fullmatch(r"(\w+_)?PORT", each["name"])
            }
            ports = {each["containerPort"] for each in container.get("ports", ())}
            assert ports == listened or component == "valkey", overlay
            annotated = {each["containerPort"]: each["name"] for each in container.get("ports", ())}
            assert all(name in {"http", "figures", "redis"} for name in annotated.values())
    settings = tomllib.loads((ROOT / "fly.toml").read_text())
    fly = settings["env"]
    ports = {each["port"]: each["processes"] for each in settings["metrics"]}
    assert ports == {int(fly["METRICS_PORT"]): ["exporter"], int(fly["WEB_METRICS_PORT"]): ["web"]}
    assert settings["http_service"]["internal_port"] == int(fly["PORT"])


def _probed() -> Iterator[str]:
    for _overlay, _component, pod in pods():
        for container in pod["containers"]:
            for name in ("startupProbe", "livenessProbe", "readinessProbe"):
                if "httpGet" in container.get(name, {}):
                    yield container[name]["httpGet"]["path"]
    fly = tomllib.loads((ROOT / "fly.toml").read_text())
    yield from (each["path"] for each in (*fly["http_service"]["checks"], *fly["checks"].values()) if "path" in each)
    yield from re.findall(r"127\.0\.0\.1:8000(/[^']+)", (ROOT / "deploy/compose.production.yaml").read_text())


def test_a_path_that_is_asked_for_is_there_and_figures_are_on_no_public_port():
    assert set(_probed()) == {"/healthz/", "/readyz/"}
    for path in set(_probed()):
        assert resolve(path)
    with pytest.raises(Resolver404):
        resolve("/metrics")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_a_prometheus_is_told_to_read_is_a_port_of_the_pod(overlay):
    for each in objects(overlay, "Deployment"):
        template = each["spec"]["template"]
        told = template["metadata"].get("annotations", {}).get("prometheus.io/port")
        if told:
            (container,) = template["spec"]["containers"]
            assert int(told) in {port["containerPort"] for port in container["ports"] if port["name"] == "figures"}


def test_a_process_that_listens_is_probed_for_its_life():
    for _overlay, component, pod in pods():
        if component in {"web", "cluster", "exporter"}:
            (container,) = pod["containers"]
            assert {"startupProbe", "livenessProbe"} <= container.keys()
            assert ("readinessProbe" in container) == (component == "web")


def test_clusters_are_counted_by_what_can_be_paid_now():
    for overlay in OVERLAYS:
        (scaled,) = objects(overlay, "ScaledObject")
        (trigger,) = scaled["spec"]["triggers"]
        (service,) = (each for each in objects(overlay, "Service") if each["metadata"]["name"] == "payouts-exporter")

        assert trigger["metadata"]["valueLocation"] == "payouts_claimable"
        assert (
            trigger["metadata"]["url"]
            == f"http://payouts-exporter.{service['metadata']['namespace']}.svc:9100/metrics"
        )


def test_two_clusters_run_on_one_machine_and_nobody_reaches_the_database_from_outside():
    services, networks = _production()["services"], _production()["networks"]

    assert services["cluster"]["deploy"]["replicas"] == 2
    assert networks["back"]["internal"] is True
    assert services["postgres"]["networks"] == services["redis"]["networks"] == ["back"]
    assert [name for name, each in services.items() if any(port[0] != "1" for port in each.get("ports", ()))] == [
        "proxy"
    ]


def test_a_prometheus_on_the_machine_reaches_all_figures_and_nobody_else_does():
    """The network `back` is internal: what is in it alone has no way to the machine."""
    services = _production()["services"]

    for name, setting in (("web", "WEB_METRICS_PORT"), ("exporter", "METRICS_PORT")):
        port = services[name]["environment"][setting]
        assert services[name]["ports"] == [f"127.0.0.1:{port}:{port}"]
        assert "outside" in services[name]["networks"]
        assert f"`127.0.0.1:{port}`" in (ROOT / "docs/deploy.md").read_text()


def test_the_backup_of_fly_is_told_what_it_needs():
    """A machine that `fly machine run` makes has the app's secrets, and nothing of fly.toml."""
    section = (ROOT / "docs/deploy.md").read_text().partition("## Fly")[2].partition("\n## ")[0]
    (command,) = re.findall(r"```sh\n\s*(fly machine run .*?)\n\s*```", section, re.DOTALL)
    words = shlex.split(command)

    told = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--env")
    program, option, script = words[words.index("--") + 1 :]
    assert told.keys() == {"INSTALLATION", "LOG_FORMAT", "BACKUPS", "BACKUP_RECIPIENTS"}
    assert (program, option) == ("sh", "-c")
    assert script == 'DATABASE_URL="$DATABASE_OWNER_URL" exec python manage.py backup'


def test_the_release_of_fly_has_more_time_than_five_minutes_and_its_proxy_asks_no_database():
    fly = tomllib.loads((ROOT / "fly.toml").read_text())

    assert fly["deploy"]["release_command_timeout"] == "150m"
    assert [each["path"] for each in fly["http_service"]["checks"]] == ["/healthz/"]
    assert fly["env"]["TRUSTED_PROXIES"] == "2"
