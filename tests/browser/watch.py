"""What no page may do, on whatever screen: written down as it happens, and told at the end of the test."""

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response, WebError

TELL_OF_POLICY = """
document.addEventListener("securitypolicyviolation", (event) => {
    console.error(`The content policy was broken: ${event.violatedDirective} by ${event.blockedURI || "inline"}`);
});
"""
# What the browser and htmx say of an answer of 400 or more, which is judged where it comes in.
SAID_OF_ANSWERS = ("Failed to load resource: the server responded with a status of", "Response Status Error Code")


class Watch:
    """Requests to other origins, breaches of the content policy, errors of scripts, and answers that are errors."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.refusals: set[int] = set()
        """Statuses of 400 to 499 that the test brings about on purpose."""
        self.faults: list[str] = []

    def over(self, context: BrowserContext) -> None:
        context.add_init_script(TELL_OF_POLICY)
        context.on("request", self._request)
        context.on("response", self._response)
        context.on("console", self._console)
        context.on("weberror", self._error)

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:")):
            self.faults.append(f"left the origin: {request.method} {request.url}")

    def _response(self, response: Response) -> None:
        if response.status >= 500 or (response.status >= 400 and response.status not in self.refusals):
            self.faults.append(f"answered {response.status}: {response.request.method} {response.url}")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(SAID_OF_ANSWERS):
            self.faults.append(f"console {message.type}: {message.text} ({message.location.get('url', '')})")

    def _error(self, error: WebError) -> None:
        self.faults.append(f"script failed: {error.error}")
