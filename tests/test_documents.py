"""What README and .env.example say is what is there."""

import ast
import re
from pathlib import Path

import pytest

from backoffice.local import documents
from backoffice.local.secrets import new_secrets
from payouts import sandbox
from payouts.management.commands.demo import CLIENTS
from payouts.management.commands.diagram import diagram
from tests.attacks.__main__ import PARTS
from tests.drills.__main__ import DRILLS
from tests.drills.backups import SECTION, commands_of, rotated

LEVELS = ("debug", "info", "warning", "error", "critical", "exception")
ROOT = Path(__file__).resolve().parent.parent


def test_the_readmes_diagram_is_that_of_the_states():
    assert f"```mermaid\n{diagram()}\n```" in (ROOT / "README.md").read_text()


def test_the_page_about_logs_has_every_event() -> None:
    page = (ROOT / "docs" / "logs.md").read_text()
    said = {
        node.args[0].value
        for folder in ("payouts", "backoffice")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {f"log.{level}" for level in LEVELS}
        and isinstance(node.args[0], ast.Constant)
    }

    assert len(said) > 80
    assert {event for event in said if f"`{event}`" not in page} == set()


def test_the_example_and_the_page_of_settings_are_written_from_the_list():
    assert (ROOT / ".env.example").read_text() == documents.example()
    assert (ROOT / "docs" / "settings.md").read_text() == documents.page()


def test_the_readme_and_the_sandbox_tell_of_the_same_magic_amounts():
    told = re.findall(r"^\| (1313\.\d\d) \|", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert told == sorted(set(re.findall(r"1313\.\d\d", sandbox.__doc__ or "")))


@pytest.mark.parametrize("path", re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / "README.md").read_text()))
def test_what_the_readme_links_to_is_there(path):
    assert (ROOT / path).exists()


def test_the_readme_says_where_things_are_and_there_they_are():
    section = (ROOT / "README.md").read_text().partition("## Where things are")[2].partition("\n## ")[0]
    named = set(re.findall(r"`((?:[a-z_0-9]+/)*[a-z_0-9]+(?:\.py|/))`", section))

    assert len(named) > 20
    assert {name for name in named if not ((ROOT / name).exists() or (ROOT / "payouts" / name).exists())} == set()


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "Makefile"])
def test_the_client_that_a_document_makes_is_not_one_of_the_demo(name):
    made = set(re.findall(r"create_api_client (\w+)", (ROOT / name).read_text()))

    assert made
    assert made.isdisjoint(CLIENTS)


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs/keys.md",
        "docs/recovery.md",
        "SECURITY.md",
        "docs/safety.md",
        "docs/security.md",
        "docs/settings.md",
        "docs/deploy.md",
        "docs/upgrading.md",
    ],
)
def test_every_target_of_make_that_a_document_names_is_there(name):
    named = re.findall(r"`(?:[A-Z_]+=\S+ )*make ([a-z -]+)", (ROOT / name).read_text())
    there = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert {target for targets in named for target in targets.split()} - there == set()


def test_every_key_of_the_page_of_keys_is_rotated_by_a_drill_or_never() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (\w+)\b.* \|$", (ROOT / "docs/keys.md").read_text(), re.MULTILINE))
    secrets = new_secrets()
    changed = {name for changes in rotated(secrets, secrets, "age1", "age1") for name in changes}

    assert {name for name, verdict in rows.items() if verdict == "yes"} - {"BACKUP_IDENTITY"} == changed - {
        "DJANGO_SECRET_KEY_FALLBACKS",
        "EVENT_HMAC_KEYS_RETIRED",
    }
    assert rows["BACKUP_IDENTITY"] == "yes"  # of its own, to which each of BACKUP_RECIPIENTS belongs
    assert {name for name, verdict in rows.items() if verdict != "yes"} == {"EVENT_HMAC_KEYS_RETIRED", "INDEX_KEY"}


def test_each_step_from_a_backup_has_its_command() -> None:
    commands = "".join(commands_of(SECTION))

    assert re.findall(r"manage\.py (\w+)", commands) == [
        *("backup", "restore", "migrate", "erase", "audit", "audit", "recovery", "recovery")
    ]


def _security() -> str:
    return "".join((ROOT / name).read_text() for name in ("SECURITY.md", "docs/security.md"))


def test_what_the_documents_on_security_point_to_is_there() -> None:
    quoted = re.findall(r"`([^`\n]+)`", _security())
    paths = {word.partition("::")[0] for text in quoted for word in text.split()}
    files = {file.name for file in (ROOT / "tests").rglob("test_*.py")}

    missing = {
        path for path in paths if re.match(r"(tests|payouts|backoffice)/", path) and not (ROOT / path).exists()
    }
    missing |= {path for path in paths if re.fullmatch(r"test_\w+\.py", path) and path not in files}

    assert missing == set()
    assert len(paths) > 100


def test_each_drill_and_attack_that_the_documents_on_security_name_is_one() -> None:
    attacks = {
        name for names in re.findall(r"`make attack` \(([a-z, ]+)\)", _security()) for name in names.split(", ")
    }
    drills = {
        name
        for names in re.findall(r"\bdrills? ((?:`[a-z-]+`(?:, )?)+)", _security())
        for name in re.findall(r"`([a-z-]+)`", names)
    }

    assert attacks
    assert attacks <= set(PARTS)
    assert drills
    assert drills <= DRILLS.keys()


def test_each_requirement_stands_once_with_a_verdict() -> None:
    rows = re.findall(r"^\| (V\d+\.\d+\.\d+)(?: \(L3\))? \| .+? \| ([a-z ]+) \| \S.* \|$", _security(), re.MULTILINE)

    assert len(rows) == len({name for name, _verdict in rows}) == _security().count("\n| V")
    assert {verdict for _name, verdict in rows} == {
        "met",
        "met in part",
        "not met",
        "not applicable",
        "whoever runs it",
    }
