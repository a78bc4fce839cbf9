"""The middlewares that serve people, each as a call of the API passes it by.

Such a call has a key, and neither a session nor a page: these would only cost it time.
"""

from typing import Any

from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest
from django.middleware import common, csp, locale
from django_otp import middleware as otp
from whitenoise import middleware as whitenoise  # type: ignore[import-untyped]

from backoffice.middleware.requests import API


def _for_pages[Middleware: type](middleware: Middleware) -> Middleware:
    def answer(self: Any, request: HttpRequest) -> Any:
        if request.path_info.startswith(API):
            return self.get_response(request)
        return middleware.__call__(self, request)

    return type(middleware.__name__, (middleware,), {"__call__": answer, "__module__": __name__})  # type: ignore[return-value]


AuthenticationMiddleware = _for_pages(auth.AuthenticationMiddleware)
CommonMiddleware = _for_pages(common.CommonMiddleware)
ContentSecurityPolicyMiddleware = _for_pages(csp.ContentSecurityPolicyMiddleware)
LocaleMiddleware = _for_pages(locale.LocaleMiddleware)
MessageMiddleware = _for_pages(messages.MessageMiddleware)
OTPMiddleware = _for_pages(otp.OTPMiddleware)
SessionMiddleware = _for_pages(sessions.SessionMiddleware)
WhiteNoiseMiddleware = _for_pages(whitenoise.WhiteNoiseMiddleware)
