"""Every address of the back office in every role, and what became of the scripts that are stored.

`addresses`: by GET and by an empty POST; whoever has no right is led away or refused and never meets a stored text.
`scripts`: what those who may look are shown has none of the stored markup as markup, in HTML, attributes or scripts.
"""

import random
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser

from tests.attacks.roles import CALL, CANARY, ELEMENT, ROLES, SCRIPTS, WITHOUT_RIGHTS
from tests.attacks.tally import Tally
from tests.attacks.target import Target
from tests.attacks.wire import Heard

AT_ONCE = 4
# In the small form a part of the addresses, another from run to run.
SMALL_PART = 10
SECRET = "a" * 32
# What is meant for people who are not logged in.
OPEN = ("/admin/login/", "/admin/password-link/")
LINKS = ("href", "src", "action", "formaction", "xlink:href", "hx-get", "hx-post")
CODE = ("on", "x-", "@", ":", "hx-on", "hx-vals", "style", "srcdoc")


def addresses(target: Target, *, is_small: bool) -> Tally:
    tally = Tally()
    paths = _some(target.addresses) if is_small else target.addresses
    cells = [(role, method, path) for path in paths for role in ROLES for method in ("GET", "POST")]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for (role, method, path), heard in zip(
            cells, pool.map(lambda cell: _visit(target, *cell), cells), strict=True
        ):
            fault = _leak(role, path, heard)
            tally.count(f"{method} {path} as {role}", heard.status, hung=heard.hung, is_right=not fault, said=fault)
    target.still_answers(tally, "the addresses")
    return tally


def scripts(target: Target, *, is_small: bool) -> Tally:
    tally = Tally()
    roles = ("superuser",) if is_small else ("Operator", "Approver", "Auditor", "Admin", "superuser")
    whole = [f"/admin/payouts/payout/{target.payouts[f'script {text}']}/change/" for text in SCRIPTS]
    cells = [
        (role, "GET", path)
        for role in roles
        for path in (*(_some(target.addresses) if is_small else target.addresses), *whole)
    ]
    seen = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for (role, _method, path), heard in zip(
            cells, pool.map(lambda cell: _visit(target, *cell), cells), strict=True
        ):
            faults = _markup(heard.body.decode(errors="replace"))
            seen += ELEMENT.encode() in heard.body
            what = f"{path} for {role}"
            tally.count(what, heard.status, hung=heard.hung, is_right=not faults, said="; ".join(faults)[:300])
    tally.expect(seen >= len(SCRIPTS) // 2, "hardly a page showed a stored script: the attack looked at nothing")
    return tally


def _some(paths: list[str]) -> list[str]:
    return sorted(random.sample(paths, len(paths) // SMALL_PART))


def _visit(target: Target, role: str, method: str, path: str) -> Heard:
    cookies = [f"csrftoken={SECRET}", f"__Host-csrftoken={SECRET}"]
    if role in target.sessions:
        cookies.append(f"{target.cookie}={target.sessions[role]}")
    headers = {"Cookie": "; ".join(cookies), "Origin": f"https://{target.host}", "Accept_Language": "en"}
    if method == "GET":
        return target.call("GET", path, **headers)
    # Without a token: the protection against forged forms refuses it, whoever sends it.
    return target.call("POST", path, b"", Content_Type="application/x-www-form-urlencoded", **headers)


def _leak(role: str, path: str, heard: Heard) -> str:
    """What the role should not have seen, if anything."""
    if role not in WITHOUT_RIGHTS:
        return ""
    if CANARY.encode() in heard.body and not path.endswith(CANARY):
        return "a stored text"
    if ELEMENT.encode() in heard.body and role != "plain":
        return "a stored script"
    is_led_away = heard.status == 302 and heard.headers.get("location", "").startswith(("/admin/", "https://"))
    if role in ("nobody", "closed") and not (is_led_away or heard.status in (403, 405) or path.startswith(OPEN)):
        return f"{heard.status} without a login"
    return ""


class _Reader(HTMLParser):
    """Notes where a stored text became markup or code."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag if tag in ("script", "style") else ""
        if tag.startswith(ELEMENT):
            self.faults.append(f"<{tag}> is an element")
        for name, value in attrs:
            text = (value or "").strip().lower()
            if name in LINKS and text.startswith(("javascript:", "data:text", "vbscript:")):
                self.faults.append(f"{name}={text[:40]} runs a script")
            if name.startswith(CODE) and (CALL in text or ELEMENT in text):
                self.faults.append(f"{name}={text[:60]} has a stored text in code")
            if ELEMENT in name or CALL in name:
                self.faults.append(f"{name[:40]} is an attribute")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._within:
            self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within and CALL in data and not _is_quoted(data):
            self.faults.append(f"a <{self._within}> has a stored text")


def _is_quoted(script: str) -> bool:
    """As `json_script` writes it: no angle bracket is left, so the element ends where it should."""
    return "<" not in script and ">" not in script


def _markup(page: str) -> list[str]:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.faults
