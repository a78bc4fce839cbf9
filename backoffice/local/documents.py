"""`make settings`: writes `.env.example` and docs/settings.md from the one list of settings."""

import re
import textwrap

from backoffice.declared import SECTIONS
from backoffice.declared.setting import Setting
from backoffice.local import ROOT

WIDTH = 118
EXAMPLE_INTRODUCTION = (
    "Every setting. Copy to .env, which is read if it is there; the environment comes first. What is commented out "
    "shows the default, and an empty value means the default. `make run` and `make test` need none of this. Written "
    "from backoffice/declared/ by `make settings`."
)
PAGE_INTRODUCTION = """# Settings

Settings are variables of the environment; `.env` is read if it is there, and the environment comes first. An empty
variable counts as one that is not set. A required one that is missing stops the start with a sentence that says how
to fix it, and `python manage.py check --deploy` tells what contradicts what.

`make run` needs none of them: it makes the required ones and keeps them in `var/`, turns `DJANGO_DEBUG` on, sets
`LOG_FORMAT` to `console` and `API_ANONYMOUS_CLIENT` to `demo`, and starts the sandbox as the provider. What is set
comes first, and reaches everything that it starts.

Written from `backoffice/declared/` by `make settings`; a test keeps it true.
"""


def example() -> str:
    """The text of .env.example."""
    paragraphs = [_comment(EXAMPLE_INTRODUCTION)]
    for title, settings in SECTIONS.items():
        paragraphs.append(f"# {title} ".ljust(WIDTH, "-"))
        paragraphs.append("\n".join(_example_lines(each) for each in settings))
    return "\n\n".join(paragraphs) + "\n"


def page() -> str:
    """The text of docs/settings.md."""
    parts = [PAGE_INTRODUCTION]
    for title, settings in SECTIONS.items():
        parts.append(f"\n## {title}\n\n| name | default | secret | meaning |\n|---|---|---|---|\n")
        parts += [_row(each) for each in settings]
    return "".join(parts)


def _example_lines(setting: Setting) -> str:
    default = f" Default: {setting.default_in_words}." if setting.default_in_words else ""
    lines = [_comment(f"{setting.meaning}{default}"), f"#{setting.name}={_default(setting)}"]
    if setting.remedy:
        lines.insert(1, f"# {_sentence(setting.remedy)}")  # on one line, to be copied
    return "\n".join(lines)


def _row(setting: Setting) -> str:
    default = f"`{_default(setting)}`" if _default(setting) else setting.default_in_words or "none"
    remedy = f" {_sentence(setting.remedy)}" if setting.remedy else ""
    cells = (
        f"`{setting.name}`",
        "required" if setting.remedy else _with_names_marked(default),
        "yes" if setting.is_secret else "",
        _with_names_marked(f"{setting.meaning}{remedy}"),
    )
    return f"| {' | '.join(cells)} |\n"


def _default(setting: Setting) -> str:
    """As it would be set."""
    match setting.default:
        case None:
            return ""
        case bool(value):
            return "on" if value else "off"
        case list(values):
            return ",".join(values)
        case dict(values):
            return ",".join(f"{theirs}={ours}" for theirs, ours in values.items())
        case float(value):
            return f"{value:g}"
    return str(setting.default)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _with_names_marked(text: str) -> str:
    return re.sub(r"\b[A-Z]+(_[A-Z]+)+\b", r"`\g<0>`", text)


def _comment(text: str) -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False, break_on_hyphens=False
    )


def main() -> None:
    (ROOT / ".env.example").write_text(example())
    (ROOT / "docs" / "settings.md").write_text(page())


if __name__ == "__main__":
    main()
