"""People see what they have just changed, whatever their lists are read from."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from backoffice.middleware.requests import API
from payouts.staff import own_writes


class OwnWritesMiddleware:
    """Outside the session's, so that what that one has written is seen too. API clients read the primary."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not request.path_info.startswith(API):
            own_writes.remember(request, response)
        return response
