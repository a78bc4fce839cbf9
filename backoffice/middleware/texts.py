"""Pages show the characters that change the direction of text, instead of obeying them."""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from payouts.plain_text import marked

# In UTF-8: what payouts.plain_text.CONTROLS finds.
CONTROLS = re.compile(rb"\xd8\x9c|\xe2\x80[\x8e\x8f\xaa-\xae]|\xe2\x81[\xa6-\xa9]")


class MarkedTextMiddleware:
    """In one place for every page and dialog, so that no template can forget it. No text of ours has such a one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_page = response.headers.get("Content-Type", "").startswith("text/html") and not response.streaming
        if is_page and CONTROLS.search(response.content):
            response.content = CONTROLS.sub(lambda found: marked(found[0].decode()).encode(), response.content)
            if "Content-Length" in response:  # of the text as it was: the page's end would be cut off
                response["Content-Length"] = str(len(response.content))
        return response
