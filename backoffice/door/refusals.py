"""What is said at the door: problems under /api/, in the caller's language, and plain text elsewhere."""

from django.conf import settings
from django.http import HttpRequest
from django.utils import translation
from django.utils.translation import get_language_from_request
from django.utils.translation import gettext as _
from granian.rsgi import Scope

from backoffice.middleware.requests import API, API_CSP
from payouts.api.problems import PROBLEM, problem_content
from payouts.strict_json import dumps

type Headers = list[tuple[str, str]]


class RefusedError(Exception):
    """The request does not enter. The sentence of each `code` is in `answer`."""

    def __init__(self, status: int, code: str, *, retry_after: int = 0, is_heard_out: bool = False) -> None:
        super().__init__(code)
        self.status, self.code, self.retry_after = status, code, retry_after
        self.is_heard_out = is_heard_out
        """What is left of the body is read first, so that its sender, who does not listen meanwhile, hears this."""


def answer(refusal: RefusedError, scope: Scope, trace_id: str) -> tuple[int, Headers, bytes]:
    request = HttpRequest()
    request.META["HTTP_ACCEPT_LANGUAGE"] = scope.headers.get("accept-language") or ""
    language = get_language_from_request(request)
    with translation.override(language):
        sentence = {
            "host": _("The request must name one host, once."),
            "header": _("A header has characters other than those of ASCII."),
            "path": _("The address has characters that it must not have."),
            "query": _("The address has too many parameters, or characters that it must not have."),
            "body": _("This method takes no body."),
            "large": _("The body is too large."),
            "upload": _("Log in as somebody who may upload a file here, and try again."),
            "length": _("Send the length of the body in Content-Length."),
            "slow": _("The body came too slowly."),
            "short": _("The body is shorter than its length says, or is broken off."),
            "turn": _("Too many requests of yours are under way. Wait until some are answered."),
            "busy": _("The service cannot answer now. Try again in a few seconds."),
        }[refusal.code]
        is_api = scope.path.startswith(API)
        content = (
            dumps(problem_content(refusal.status, sentence, trace_id=trace_id))
            if is_api
            else f"{sentence}\n".encode()
        )
    headers = [
        ("Content-Type", PROBLEM if is_api else "text/plain; charset=utf-8"),
        ("Content-Language", language),
        ("Content-Security-Policy", API_CSP),
        ("Vary", "Accept-Language"),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Request-ID", trace_id),
    ]
    if settings.SECURE_HSTS_SECONDS:
        headers.append(("Strict-Transport-Security", f"max-age={settings.SECURE_HSTS_SECONDS}; includeSubDomains"))
    if refusal.retry_after:
        headers.append(("Retry-After", str(refusal.retry_after)))
    return refusal.status, headers, content
