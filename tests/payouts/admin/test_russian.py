"""Russian is complete: the catalogue has every string of ours, is compiled as written, and pages are clean."""

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from payouts.statements import apply, read
from tests import recipes
from tests.payouts.admin.urls import LIST, dialog, page

OURS, VENDORS = (settings.BASE_DIR / folder / "ru/LC_MESSAGES/django.po" for folder in ("locale", "locale/vendor"))
CALLS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy", "pgettext"}
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def written(catalogue: Path = OURS) -> dict[str, str]:
    """The .po file's entries as a .mo file has them: context and plural forms joined by their control characters."""
    entries: dict[str, str] = {}
    for block in catalogue.read_text().split("\n\n"):
        parts: dict[str, str] = {}
        key = ""
        for line in block.splitlines():
            if line.startswith("#"):
                continue
            if match := re.match(r"(msgctxt|msgid_plural|msgid|msgstr(?:\[\d\])?) ", line):
                key = match[1]
            parts[key] = parts.get(key, "") + "".join(map(ast.literal_eval, STRING.findall(line)))
        if not parts.get("msgid"):
            continue
        name = f"{parts['msgctxt']}\x04{parts['msgid']}" if "msgctxt" in parts else parts["msgid"]
        entries |= {
            (name, int(form[7:-1]) if "[" in form else None): text  # type: ignore[misc]
            for form, text in parts.items()
            if form.startswith("msgstr")
        }
    return entries


def in_code() -> Iterator[str]:
    for folder in ("payouts", "backoffice"):
        for path in (settings.BASE_DIR / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id in CALLS
                    and node.args
                    and isinstance(node.args[0], ast.Constant)
                ):
                    argument = node.args[1] if node.func.id == "pgettext" else node.args[0]
                    assert isinstance(argument, ast.Constant)
                    yield str(argument.value)


def in_templates() -> Iterator[str]:
    for path in Path(settings.BASE_DIR / "templates").rglob("*.html"):
        text = path.read_text()
        for quoted in (r'{% translate "([^"]+)"', r"{% translate '([^']+)'"):
            yield from (said.replace("%", "%%") for said in re.findall(quoted, text))  # as makemessages writes it
        for body in re.findall(r"{% blocktranslate[^%]*%}(.*?){% endblocktranslate %}", text, re.S):
            yield re.sub(r"{{ (\w+) }}", r"%(\1)s", body.split("{% plural %}")[0])


def test_every_string_has_its_russian() -> None:
    known = {name.split("\x04")[-1] for (name, _form), text in written().items() if text}  # type: ignore[misc]

    missing = sorted({*in_code(), *in_templates()} - known)

    assert not missing, "run manage.py makemessages -l ru --no-location --no-wrap, translate, and compilemessages"


@pytest.mark.parametrize("catalogue", [OURS, VENDORS], ids=["ours", "vendors"])
def test_the_compiled_catalogue_is_the_written_one(catalogue: Path) -> None:
    with catalogue.with_suffix(".mo").open("rb") as file:
        compiled: dict[Any, str] = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]

    assert {key if isinstance(key, tuple) else (key, None): text for key, text in compiled.items() if key} == written(
        catalogue
    )


def test_placeholders_are_the_same_in_both_languages() -> None:
    for (name, _form), text in {**written(), **written(VENDORS)}.items():  # type: ignore[misc]
        wanted = set(re.findall(r"%\(\w+\)s", name))
        assert set(re.findall(r"%\(\w+\)s", text)) == wanted, name


LEFTOVERS = (
    "Payout",
    "Approv",
    "Awaiting",
    "Amount",
    "Recipient",
    "Stage",
    "Filters",
    "Apply",
    "Search",
    "Reason",
    "Timeline",
    "Attempt",
    "Provider",
    "Submit",
    "Cancel",
    "Back office",
    "Development",
    "Waits",
    "Key",
    "Name",
    "Next",
    "Log in",
    "Select",
    "Schedule",
    "Cluster",
    "Function",
    "Type to",
    "Navigate",
    "Minutes",
    "Groups",
    "Password",
    "Save",
    "Report",
    "Lines",
    "Result",
    "Upload",
    "File",
    "Period",
    "Applied",
)


def visible(text: str) -> str:
    """What a person reads or hears."""
    text = re.sub(r"<(script|style|head)\b.*?</\1>", " ", text, flags=re.S)
    text = re.sub(r'<span class="[^"]*material-symbols[^"]*"[^>]*>[^<]*</span>', " ", text)
    spoken = re.findall(r'(?:title|placeholder|aria-label)="([^"{}]*)"', text)
    return re.sub(r"<[^>]*>", " ", text) + " ".join(spoken)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path",
    [
        LIST,
        "awaiting",
        "unknown",
        "held",
        "approve",
        "resolve",
        "/admin/",
        "report",
        "differing",
        "/admin/payouts/providerreport/",
        "/admin/payouts/providerreport/add/",
        "/admin/payouts/apiclient/",
        "/admin/payouts/apiclient/add/",
        "/admin/payouts/approvalband/",
        "/admin/payouts/approvalband/add/",
        "/admin/payouts/heartbeat/",
        "/admin/django_q/schedule/",
        "/admin/django_q/failure/",
        "/admin/django_q/ormq/",
        "/admin/auth/user/",
        "/admin/auth/user/add/",
        "/admin/auth/group/",
        "/admin/search/?s=nothing",
    ],
)
def test_pages_have_no_english_left(path: str, as_group: Any) -> None:
    payouts = {
        "awaiting": recipes.awaiting_payout(),
        "unknown": recipes.unknown_payout(),
        "held": recipes.held_payout(),
        "differing": recipes.processed_payout(),
    }
    attempt = payouts["differing"].attempts.get()
    lines = f"reference,status,amount\n{attempt.reference},succeeded,1\nr-1,pending,1\n"
    report = read.store(lines.encode(), name="march.csv", by=recipes.person.make())
    apply.run(report.pk)
    address = {
        "approve": dialog(payouts["awaiting"], "approve"),
        "resolve": dialog(payouts["unknown"], "resolve"),
        "report": f"/admin/payouts/providerreport/{report.pk}/change/",
        **{name: page(payout) for name, payout in payouts.items()},
    }.get(path, path)

    answer = as_group("Admin").get(address, headers={"accept-language": "ru"})

    assert answer.status_code == 200
    text = visible(answer.content.decode())
    assert not [word for word in LEFTOVERS if re.search(rf"\b{word}", text)]


@pytest.mark.django_db
def test_the_login_page_speaks_russian_and_keeps_where_to_go() -> None:
    text = Client(headers={"accept-language": "ru"}).get("/admin/login/?next=/admin/auth/user/").content.decode()

    assert "Войти" in text
    assert 'name="next" value="/admin/auth/user/"' in text
    assert "English" in visible(text)


@pytest.mark.django_db
def test_the_language_is_switched_and_remembered(as_group: Any) -> None:
    browser = as_group("Operator")

    browser.post("/i18n/setlang/", {"language": "ru", "next": LIST})

    assert "Ждёт согласования" in browser.get(LIST).content.decode()


@pytest.mark.django_db
def test_amounts_and_times_follow_the_language(as_group: Any) -> None:
    payout = recipes.awaiting_payout()

    text = as_group("Operator").get(page(payout), headers={"accept-language": "ru"}).content.decode()

    assert "250\u00a0000,00\u00a0RUB" in text
    assert re.search(r"\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d UTC", text)
