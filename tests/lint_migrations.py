"""Lint the SQL of our migrations with squawk: `python -m tests.lint_migrations`, part of `make check`.

The old code runs beside a migration, so it expands, fills or enforces, waits briefly for locks, and breaks nobody.
The first three made the tables when nobody used them. Needs the settings of a database, and connects to it.
"""

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

FIRST = "0004"
# Matters of taste, and dropping a constraint, which breaks nobody: what was refused is taken.
EXCLUDED = (
    *("prefer-text-field", "prefer-bigint-over-int", "prefer-bigint-over-smallint", "prefer-robust-stmts"),
    "ban-drop-constraint",
)
OLDEST_POSTGRES = "15.0"


def findings(name: str, sql: str) -> str:
    """What squawk says about the SQL, a line each; empty when it is fine."""
    command = [str(Path(sys.executable).with_name("squawk")), "--reporter", "gcc", "--stdin-filepath", f"{name}.sql"]
    options = ["--pg-version", OLDEST_POSTGRES, "--exclude", ",".join(EXCLUDED)]
    answer = subprocess.run([*command, *options], input=sql, capture_output=True, text=True, check=False)
    if answer.returncode and not answer.stdout:
        raise RuntimeError(answer.stderr)
    return answer.stdout


def migrations() -> Iterator[tuple[str, str]]:
    """The name and the SQL of every migration that is linted."""
    from django.core.management import call_command

    folder = Path(__file__).parents[1] / "payouts" / "migrations"
    for path in sorted(folder.glob("[0-9]*.py")):
        if path.stem >= FIRST:
            sql = io.StringIO()
            call_command("sqlmigrate", "payouts", path.stem, stdout=sql, no_color=True)
            yield path.stem, re.sub(r"^--.*$", "", sql.getvalue(), flags=re.MULTILINE)


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings")
    import django

    django.setup()
    found = [line for name, sql in migrations() for line in findings(name, sql).splitlines()]
    print("\n".join(found) or "No migration blocks or breaks the code that runs beside it.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
