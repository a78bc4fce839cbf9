"""What may come in, by what a request's head says: so much body for each address, one host, plain ASCII headers."""

from granian.rsgi import Scope

from backoffice.door.refusals import RefusedError
from payouts.files.limits import body_bytes

BODILESS = ("GET", "HEAD")
# Whoever sends a body that is somewhat too long is heard out, or they would miss the answer.
HEARD_OUT_BYTES = 1024 * 1024
PARAMETERS = 1_000
PARAMETERS_OF_THE_API = 100


def look(scope: Scope) -> int:
    """The length of the request's body. Raises RefusedError."""
    headers = scope.headers
    names = [name for name, _ in headers.items()]
    hosts = names.count("host")
    if hosts > 1 or (hosts == 0 and scope.http_version == "1.1"):
        raise RefusedError(400, "host")
    if scope.authority is not None and scope.authority != headers.get("host"):
        raise RefusedError(400, "host")
    # granian leaves out the values that are not ASCII: a key that is lost must not make a second payout.
    if len(set(names)) < len(headers.keys()):
        raise RefusedError(400, "header")
    path, query = scope.path, scope.query_string
    if "\x00" in path or "\ufffd" in path:
        raise RefusedError(400, "path")
    if query and ("%00" in query or query.count("&") >= _parameters(path)):
        raise RefusedError(400, "query")
    return _measured(scope)


def longest_body(method: str, path: str) -> int:
    """In bytes; 0 where there is none."""
    return 0 if method in BODILESS else body_bytes(path)


def _parameters(path: str) -> int:
    return PARAMETERS_OF_THE_API if path.startswith("/api/") else PARAMETERS


def _measured(scope: Scope) -> int:
    # granian tells the end of a chunked body as it tells a broken connection: half of one would pass for whole.
    if "transfer-encoding" in scope.headers:
        raise RefusedError(411, "length")
    length = int(scope.headers.get("content-length") or 0)
    most = longest_body(scope.method, scope.path)
    if length > most:
        if most == 0:
            raise RefusedError(400, "body")
        raise RefusedError(413, "large", is_heard_out=length <= HEARD_OUT_BYTES)
    return length
