"""The command line of `python -m payouts.sandbox`; the package says how it is used."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

from payouts.sandbox import dialects
from payouts.sandbox.ledger import Ledger, now
from payouts.sandbox.server import HEADERS_LIMIT, Sandbox


async def run(arguments: argparse.Namespace, environment: dict[str, str], others: Iterable[dialects.Make]) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    ledger = Ledger(arguments.ledger)
    sandbox = Sandbox(
        ledger,
        token=environment["PROVIDER_TOKEN"],
        delay_seconds=arguments.delay_ms / 1000,
        webhook_url=environment.get("SANDBOX_WEBHOOK_URL", ""),
        webhook_secret=environment.get("PROVIDER_WEBHOOK_SECRET", "").split(",")[0].strip(),
        others=others,
        log=lambda line: print(f"{now()} {line}", flush=True),
    )
    server = await asyncio.start_server(
        sandbox.serve, arguments.host, arguments.port, limit=HEADERS_LIMIT, backlog=1024
    )
    sandbox.resume()
    port = server.sockets[0].getsockname()[1]
    print(f"{now()} sandbox provider on http://{arguments.host}:{port}", flush=True)
    try:
        await stop.wait()
    finally:
        server.close()
        ledger.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m payouts.sandbox", description="The sandbox provider.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one and prints it")
    parser.add_argument("--ledger", type=Path, required=True, help="the SQLite file, made if missing")
    parser.add_argument("--delay-ms", type=int, default=0, help="wait before each payment")
    arguments = parser.parse_args()
    if not os.environ.get("PROVIDER_TOKEN"):
        parser.error("PROVIDER_TOKEN must be set in the environment.")
    try:
        others = dialects.of(os.environ)
    except ValueError as error:
        parser.error(str(error))
    asyncio.run(run(arguments, dict(os.environ), others))
    return 0


if __name__ == "__main__":
    sys.exit(main())
