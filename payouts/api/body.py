"""Bodies of requests and answers: strict JSON in, exact JSON out, and what is wrong with a body in words."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from ninja.parser import Parser
from ninja.renderers import BaseRenderer

from payouts import strict_json
from payouts.strict_json import JsonError

SENTENCES: dict[str, Any] = {
    "syntax": _("The body is not valid JSON in UTF-8."),
    "constant": _("%(name)s is not a valid JSON number."),
    "repeated": _("An object has the same name twice."),
    "range": _("A number in the body is out of range."),
    "unstorable": _("The body has a character that cannot be stored, or is nested too deeply."),
    "turns": _("A character in the body changes the direction of text (such as U+202E). Leave it out."),
    "no_object": _("The body must be a JSON object."),
}


class BodyError(ValueError):
    """The body is not a JSON object that we accept; the text is a sentence for the caller."""


class MediaTypeError(BodyError):
    """The body is not declared as JSON."""


class StrictParser(Parser):
    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """Raises BodyError."""
        if request.content_type != "application/json":
            raise MediaTypeError(_("Send the body as application/json."))
        try:
            return strict_json.loads(request.body)
        except JsonError as error:
            raise BodyError(SENTENCES[error.code] % error.parameters) from error


class ExactRenderer(BaseRenderer):
    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return strict_json.dumps(data)
