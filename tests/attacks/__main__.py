"""`make attack`: see the package."""

import argparse
import sys
import time
from collections.abc import Callable

from backoffice.local.servers import ServiceError
from tests.attacks import fuzz, hostile, ids, pages
from tests.attacks.corpus import addresses, bodies, forms, framing, headers
from tests.attacks.tally import Tally
from tests.attacks.target import Target, target
from tests.bench.stand import BenchError, listen

LONG_EXAMPLES, SMALL_EXAMPLES = 300, 10
CORPUS = {
    "framing": framing.REQUESTS,
    "paths": addresses.REQUESTS,
    "headers": headers.REQUESTS,
    "bodies": bodies.REQUESTS,
    "forms": forms.REQUESTS,
}
PARTS = (*CORPUS, "ids", "addresses", "scripts", "fuzz")


def _parts(here: Target, *, is_small: bool) -> dict[str, Callable[[], Tally]]:
    return {
        **{name: lambda attacks=attacks: hostile.run(here, attacks) for name, attacks in CORPUS.items()},
        "ids": lambda: ids.run(here, is_small=is_small),
        "addresses": lambda: pages.addresses(here, is_small=is_small),
        "scripts": lambda: pages.scripts(here, is_small=is_small),
        "fuzz": lambda: fuzz.run(here, examples=SMALL_EXAMPLES if is_small else LONG_EXAMPLES, is_small=is_small),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="make attack", description="Attack a web server of its own.")
    parser.add_argument("names", nargs="*", metavar="name", help="some of those that --list tells; all by default")
    parser.add_argument("--list", action="store_true", help="tell the names")
    parser.add_argument("--small", action="store_true", help="bounded: a part of the ids and pages, few fuzzed calls")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(PARTS))
        return 0
    if unknown := set(arguments.names) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    listen()
    try:
        with target() as here:
            parts = _parts(here, is_small=arguments.small)
            failed = [name for name in PARTS if name in (arguments.names or PARTS) and not _holds(name, parts[name])]
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except (BenchError, ServiceError) as error:
        print(error, file=sys.stderr)
        return 1
    return 1 if failed else 0


def _holds(name: str, run: Callable[[], Tally]) -> bool:
    began_at = time.monotonic()
    tally = run()
    print(f"{tally.line(name)}  ({time.monotonic() - began_at:.0f} s)", flush=True)
    for fault in tally.told():
        print(f"       {fault}", flush=True)
    return tally.is_clean


if __name__ == "__main__":
    sys.exit(main())
