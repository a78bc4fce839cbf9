"""The house rules that a machine can keep: who writes money, how migrations grow, what tests may fake."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from io import StringIO
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, models
from django.db.migrations.loader import MigrationLoader
from django.utils.functional import Promise

from payouts import models as payout_models
from payouts import states

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = sorted(
    path
    for folder in ("payouts", "backoffice")
    for path in (ROOT / folder).rglob("*.py")
    if "migrations" not in path.parts
)
TESTS = sorted((ROOT / "tests").rglob("*.py"))

# Money's own models, however a piece of code calls them.
MONEY = re.compile(r"\b(Payout|Attempt|Event|Approval|payouts?|attempts?|events?|approvals?|resolutions)\b")
WRITES = {
    "save",
    "create",
    "update",
    "delete",
    "bulk_create",
    "bulk_update",
    "get_or_create",
    "update_or_create",
    "raw",
}
COLUMNS = {
    "status",
    "version",
    "approvals_given",
    "approvals_required",
    "held_at",
    "held_by",
    "attention",
    "scheduled_for",
    "processed_at",
    "withdrawn_at",
    "due_at",
    "lease_token",
    "event_head",
    "seal",
    "outcome",
    "terms_hash",
    "mac",
}
WRITERS = "payouts/actions/"
# Speak to terminals by design: they are programs, not parts of the product's processes.
PRINTERS = {"backoffice/local/console.py", "backoffice/local/services.py", "payouts/sandbox/__main__.py"}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def _tree(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def _nodes(paths: list[Path]) -> Iterator[tuple[str, ast.AST]]:
    for path in paths:
        for node in _tree(path):
            yield f"{_name(path)}:{getattr(node, 'lineno', 0)}", node


def _outside_of_writers() -> list[Path]:
    return [path for path in PRODUCT if not _name(path).startswith(WRITERS)]


def _knows_the_models(path: Path) -> bool:
    return "payouts.models" in path.read_text(encoding="utf-8") or _name(path).startswith("payouts/models/")


def test_only_actions_saves_a_payout_an_attempt_an_event_or_an_approval() -> None:
    paths = [path for path in _outside_of_writers() if _knows_the_models(path)]

    found = [
        f"{place}: {ast.unparse(node)}"
        for place, node in _nodes(paths)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in WRITES
        and MONEY.search(ast.unparse(node.func.value))
    ]

    assert found == []


def test_only_actions_sets_a_column_that_says_where_money_stands() -> None:
    paths = [path for path in _outside_of_writers() if _knows_the_models(path)]

    found = [
        f"{place}: {ast.unparse(node)}"
        for place, node in _nodes(paths)
        if isinstance(node, ast.Assign | ast.AugAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Attribute) and target.attr in COLUMNS
    ]

    assert found == []


def test_only_actions_writes_many_rows_at_once() -> None:
    found = [
        place
        for place, node in _nodes(_outside_of_writers())
        if (
            isinstance(node, ast.ImportFrom)
            and node.module == "payouts.database"
            and "rows" in {a.name for a in node.names}
        )
        or (isinstance(node, ast.ImportFrom) and node.module == "payouts.database.rows")
    ]

    assert found == []


def test_no_sql_in_the_product_changes_money() -> None:
    change = re.compile(
        r"\b(INSERT\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE)\s+\"?payouts_(payout|attempt|event|approval)\b", re.I
    )

    found = [
        place
        for place, node in _nodes(PRODUCT)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and change.search(node.value)
    ]

    # Between the rows of a history and its bundle, under the guards of 0055_archived.py.
    assert {place.partition(":")[0] for place in found} == {"payouts/actions/archive.py"}


def test_one_function_moves_a_status() -> None:
    writers = {
        (_name(path), function.name)
        for path in PRODUCT
        if _name(path).startswith(WRITERS)
        for function in _tree(path)
        if isinstance(function, ast.FunctionDef) and function.name != "__init__"
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Attribute) and target.attr in {"status", "version", "event_head", "seal"}
    }

    assert writers == {("payouts/actions/moves.py", "move_all"), ("payouts/actions/moves.py", "renew_seals")}


def test_no_signal_carries_a_business_rule() -> None:
    # Django's people and groups are no models of ours: their seals have no other place to follow from. And q2's own
    # signal is taken away.
    but = {"payouts/staff/authority.py", "payouts/worker/packages.py"}
    found = [
        place
        for place, node in _nodes([path for path in PRODUCT if _name(path) not in but])
        if isinstance(node, ast.Name | ast.alias | ast.Attribute)
        and (getattr(node, "id", "") or getattr(node, "name", "") or getattr(node, "attr", ""))
        in {"pre_save", "post_save", "pre_delete", "post_delete", "m2m_changed", "receiver"}
    ]

    assert found == []


def test_no_account_is_changed_past_its_seal() -> None:
    """Seals of people and groups follow from the saving of each; many at once, or SQL, would leave them behind."""
    past = re.compile(r"\b(User|Group)(\.objects|\._base_manager)\b.*\.(update|bulk_update|bulk_create)\(")
    sql = re.compile(r"\b(INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+\"?auth_(user|group)", re.I)

    found = [
        f"{place}: {ast.unparse(node)}"
        for place, node in _nodes(PRODUCT)
        if (isinstance(node, ast.Call) and past.match(ast.unparse(node)))
        or (isinstance(node, ast.Constant) and isinstance(node.value, str) and sql.search(node.value))
    ]

    assert found == []


def test_no_clock_without_a_zone() -> None:
    found = [
        f"{place}: {ast.unparse(node)}"
        for place, node in _nodes(PRODUCT)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (
            node.func.attr in {"utcnow", "utcfromtimestamp", "today"}
            or (node.func.attr in {"now", "fromtimestamp"} and _is_naive(node))
        )
    ]

    assert found == []


def _is_naive(call: ast.Call) -> bool:
    assert isinstance(call.func, ast.Attribute)
    if not ast.unparse(call.func.value).endswith("datetime"):
        return False
    return len(call.args) + len(call.keywords) < (1 if call.func.attr == "now" else 2)


def test_the_product_prints_nothing() -> None:
    found = [
        place
        for place, node in _nodes([path for path in PRODUCT if _name(path) not in PRINTERS])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"print", "breakpoint"}
    ]

    assert found == []


def test_no_file_is_called_by_what_it_is_not() -> None:
    found = [
        _name(path) for path in PRODUCT + TESTS if path.stem in {"utils", "helpers", "common", "manager", "misc"}
    ]

    assert found == []


def test_our_own_code_is_never_mocked() -> None:
    """Only constants may be set, and only the world outside may be patched."""
    ours = re.compile(r"^(payouts|backoffice)\b")
    found = []
    for place, node in _nodes(TESTS):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name) and node.args):
            continue
        last = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
        if last not in {"patch", "object", "setattr", "spy", "create_autospec"}:
            continue
        called = ast.unparse(node.func)
        target = node.args[0]
        if isinstance(target, ast.Constant) and isinstance(target.value, str):
            if ours.match(target.value) and not target.value.rpartition(".")[2].isupper():
                found.append(f"{place}: {ast.unparse(node)}")
        elif called.endswith("patch.object") and not ast.unparse(node.args[1]).strip("'").isupper():
            found.append(f"{place}: {ast.unparse(node)}")

    assert found == []


# Migrations


@pytest.mark.django_db
def test_the_migrations_are_complete() -> None:
    out = StringIO()

    call_command("makemigrations", "--check", "--dry-run", stdout=out, stderr=out)

    assert "No changes detected" in out.getvalue()


def test_the_migrations_are_one_line() -> None:
    loader = MigrationLoader(None)
    ours = sorted(name for app, name in loader.disk_migrations if app == "payouts")

    before = {
        name: [other for app, other in loader.disk_migrations["payouts", name].dependencies if app == "payouts"]
        for name in ours
    }

    assert [before[name] for name in ours] == [[], *[[name] for name in ours[:-1]]]
    assert [name[:4] for name in ours] == [f"{number:04}" for number in range(1, len(ours) + 1)]
    assert loader.graph.leaf_nodes("payouts") == [("payouts", ours[-1])]


# Constraints, keys, words


# A proxy's rows are another app's.
MODELS = [model for model in apps.get_app_config("payouts").get_models() if not model._meta.proxy]
CONSTRAINTS = [constraint.name for model in MODELS for constraint in model._meta.constraints]


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_every_constraint_has_a_test_that_meets_it_by_name(name: str) -> None:
    tests = (ROOT / "tests/payouts/models/test_constraints.py").read_text(encoding="utf-8")

    assert re.search(rf"\b(test_)?{name}\b", tests)


@pytest.mark.django_db
def test_every_guard_of_the_database_has_a_test_and_is_audited() -> None:
    from payouts.audit import broken_invariants
    from tests.payouts.observe import by_hand

    tests = (ROOT / "tests/payouts/models/test_constraints.py").read_text(encoding="utf-8")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname, tgrelid::regclass::text FROM pg_trigger"
            " WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'payouts\\_%'"
        )
        guards = cursor.fetchall()

    assert len(guards) >= 6
    for name, table in guards:
        assert re.search(rf"\b(test_)?{name}\b", tests)
        by_hand(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
        assert [broken.invariant for broken in broken_invariants()] == ["database_guard"]
        by_hand(f"ALTER TABLE {table} ENABLE TRIGGER {name}")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_row_that_others_name_is_never_deleted_with_them(model: type[models.Model]) -> None:
    for field in model._meta.get_fields():
        if isinstance(field, models.ForeignKey):
            assert field.remote_field.on_delete is models.PROTECT, f"{model.__name__}.{field.name}"


def _choices() -> list[type[models.TextChoices]]:
    found = {
        value
        for module in (states, payout_models)
        for holder in (module, *[item for item in vars(module).values() if isinstance(item, type)])
        for value in vars(holder).values()
        if isinstance(value, type) and issubclass(value, models.TextChoices) and value is not models.TextChoices
    }
    return sorted(found, key=lambda choices: choices.__qualname__)


@pytest.mark.parametrize("choices", _choices(), ids=lambda choices: choices.__qualname__)
def test_every_choice_can_be_translated(choices: type[models.TextChoices]) -> None:
    for member in choices:
        assert member.value == "" or isinstance(member._label_, Promise), member  # type: ignore[attr-defined]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_model_has_names_that_can_be_translated(model: type[models.Model]) -> None:
    assert isinstance(model._meta.verbose_name, Promise)
    assert isinstance(model._meta.verbose_name_plural, Promise)


def test_every_status_has_a_stage_of_its_name() -> None:
    assert {status.value for status in states.Status} - {stage.value for stage in states.Stage} == {"pending"}


# The numbers of the house


def _lines_limit(path: Path) -> int:
    return 350 if _name(path).startswith("payouts/admin/payouts/") else 500


def test_no_file_of_the_product_is_longer_than_a_reader_has_patience() -> None:
    lengths = {_name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in PRODUCT}

    assert {name: length for name, length in lengths.items() if length > _lines_limit(ROOT / name)} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    found = [
        f"{place}: {node.name}"
        for place, node in _nodes(PRODUCT)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno >= 60
    ]

    assert found == []


def test_no_module_of_ours_needs_another_name_where_it_is_imported() -> None:
    found = [
        f"{place}: {ast.unparse(node)}"
        for place, node in _nodes(PRODUCT)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if alias.asname and re.match(r"(payouts|backoffice)\b", getattr(node, "module", None) or alias.name)
    ]

    assert found == []


def test_nothing_below_the_admin_finds_it_in_djangos_registry() -> None:
    registry = re.compile(r"from django\.contrib import admin\b|\badmin\.site\b|\.get_model_admin\(")
    below = [path for path in PRODUCT if not _name(path).startswith(("payouts/admin/", "backoffice/"))]

    assert [_name(path) for path in below if registry.search(path.read_text(encoding="utf-8"))] == []


def test_nobody_asks_for_a_provider_by_name() -> None:
    """What others need to know of one is in its declaration; the sandbox speaks their languages."""
    folders = {path.parent.name for path in (ROOT / "payouts" / "providers").glob("*/__init__.py")}
    others = [path for path in PRODUCT if re.match(r"payouts/(?!providers/|sandbox/)", _name(path))]
    names = "|".join(sorted(folders))
    imported = re.compile(rf"payouts\.providers\.({names})\b|from payouts\.providers import [^\n]*\b({names})\b")
    texts = {_name(path): path.read_text(encoding="utf-8") for path in others}
    constants = {place: node.value for place, node in _nodes(others) if isinstance(node, ast.Constant)}

    assert folders >= {"http"}
    assert [name for name, text in texts.items() if imported.search(text)] == []
    # “http” is a word of its own.
    assert [place for place, value in constants.items() if value in folders - {"http"}] == []


def test_only_the_rules_compare_who_made_a_payout() -> None:
    """Submission stores the maker, and knows its own form again; the model seals the maker."""
    found = {_name(path) for path in PRODUCT if re.search(r"\bmaker_id\b", path.read_text(encoding="utf-8"))}

    assert found == {"payouts/rules/closeness.py", "payouts/actions/submission.py", "payouts/models/payout.py"}
