"""Every key rotated under load, by rolling restarts as docs/keys.md tells: no flag, no 5xx, nothing paid twice."""

import http.client
import secrets
import time
from collections import Counter
from dataclasses import dataclass

from backoffice.local.secrets import new_secrets
from tests.bench.stand import Program, Stand
from tests.drills.calls import Load, Person
from tests.drills.deploys import Traffic, ended
from tests.drills.ground import Cluster, Drill, Ground, Provider, Result, ground
from tests.drills.webhooks import signed

CLIENTS = 3
NEWS = 20


@dataclass(frozen=True)
class Numbers:
    payouts: int
    """Made before, under the old keys."""
    seconds: float
    """Of load between two deploys."""


class Deployment:
    """The web server and the cluster that run now; the next ones take their place under load."""

    def __init__(self, here: Ground, provider: Provider) -> None:
        self.here = here
        self.provider = provider
        self.web, port = here.start_web()
        self.cluster: Cluster = here.start_cluster(provider)
        self.traffic = Traffic(port, here.key)
        self.codes: list[int | None] = []

    def roll(self, **changes: str) -> None:
        self.here.settings |= changes
        before: tuple[Program, Program] = (self.web, self.cluster.program)
        self.web, self.traffic.port = self.here.start_web()
        self.cluster = self.here.start_cluster(self.provider)
        self.codes += [ended(program) for program in before]


class Reader:
    """A person who was logged in before it all began, and reads on."""

    def __init__(self, here: Ground, traffic: Traffic) -> None:
        self.person: Person = here.person(traffic.port, "operator")
        self.traffic = traffic
        self.answers: Counter[int] = Counter()

    def read(self) -> None:
        self.person.move(self.traffic.port)
        try:
            self.answers[self.person.get("/admin/payouts/payout/").status] += 1
        except (OSError, http.client.HTTPException):  # the server that it was sent to has just ended
            return


def rotation(stand: Stand, numbers: Numbers) -> Result:
    with ground(stand, "rotation") as here:
        provider, hands = here.start_provider(), here.start_hands()
        old, new = dict(here.settings), new_secrets()
        provider.tell(f"tokens {old['PROVIDER_TOKEN']} {new['PROVIDER_TOKEN']}")
        hands.do("submit", numbers.payouts)
        deployed = Deployment(here, provider)
        traffic, reader, load = deployed.traffic, Reader(here, deployed.traffic), Load()
        for _ in range(CLIENTS):
            caller = traffic.client()
            load.add(lambda caller=caller: traffic.submit(caller), pause_seconds=0.05)
        load.add(reader.read, pause_seconds=0.1)
        time.sleep(numbers.seconds)
        heard: Counter[int] = Counter()
        told = ""
        for changes in steps(old, new):
            if "EVENT_HMAC_KEYS_RETIRED" in changes:  # the last step
                told = here.manage("rotate_keys").splitlines()[0]
                provider.tell(f"tokens {new['PROVIDER_TOKEN']}")
            deployed.roll(**changes)
            for secret in here.settings["PROVIDER_WEBHOOK_SECRET"].split(","):
                heard += _news(provider, secret, traffic.port)
            time.sleep(numbers.seconds)
        forged = _news(provider, old["PROVIDER_WEBHOOK_SECRET"], traffic.port)
        load.stop()
        here.await_rest()
        submitted, statuses = traffic.tries.total(), here.statuses()
        errors = [status for status in traffic.answers if status.startswith("5")]
        flags = here.count("payouts_payout", "attention <> ''")
        result = Result(
            f"{len(deployed.codes) // 2} deploys; {statuses.get('processed')} paid of {submitted} submitted and "
            f"{numbers.payouts} before; {flags} flags, {len(errors)} kinds of 5xx; {reader.answers[200]} pages read "
            f"in one session, {heard[204]} webhooks under two secrets; rotate_keys under load: {told}"
        )
        result.expect(not flags, f"{flags} flagged")
        result.expect(not errors and set(reader.answers) == {200}, f"{traffic.answers}, pages {reader.answers}")
        result.expect(not traffic.given_up, f"given up: {traffic.given_up[:5]}")
        result.expect(statuses == {"processed": submitted + numbers.payouts}, f"there are {statuses}")
        result.expect(set(heard) == {204} and set(forged) == {401}, f"webhooks: {heard}; the old secret: {forged}")
        result.expect(set(deployed.codes) == {0}, f"exit codes {deployed.codes}")
        again = here.manage("rotate_keys")
        result.expect("Renewed 0 payouts" in again, again)
        tasks = here.count("django_q_task", "NOT success")
        result.expect(not tasks, f"{tasks} tasks failed")
        return here.judge(result, provider)


def steps(old: dict[str, str], new: dict[str, str]) -> list[dict[str, str]]:
    """What the settings change to, step by step: every process knows a new key before any writes with it."""
    many = ("FIELD_ENCRYPTION_KEYS", "EVENT_HMAC_KEYS", "PROVIDER_WEBHOOK_SECRET")
    known = {name: f"{old[name]},{new[name]}" for name in many}
    first = {name: f"{new[name]},{old[name]}" for name in many}
    alone = {name: new[name] for name in many}
    return [
        known | {"DJANGO_SECRET_KEY_FALLBACKS": new["DJANGO_SECRET_KEY"]},
        first
        | {
            "DJANGO_SECRET_KEY": new["DJANGO_SECRET_KEY"],
            "DJANGO_SECRET_KEY_FALLBACKS": old["DJANGO_SECRET_KEY"],
            "PROVIDER_TOKEN": new["PROVIDER_TOKEN"],
        },
        alone
        | {
            "DJANGO_SECRET_KEY_FALLBACKS": "",
            "EVENT_HMAC_KEYS_RETIRED": old["EVENT_HMAC_KEYS"],
        },
    ]


def _news(provider: Provider, secret: str, port: int) -> Counter[int]:
    """What the latest webhooks are answered with, signed with this secret."""
    payments = provider.payments[-NEWS:]
    return Counter(
        signed(secret, f"{payment['id']}-{secrets.token_hex(4)}", payment).send(port) for payment in payments
    )


ROTATION = Drill(rotation, full=Numbers(payouts=1_000, seconds=6), small=Numbers(payouts=60, seconds=1))
