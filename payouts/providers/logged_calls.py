"""Every call of a provider, with its line in the log and its span: whom, what, what was said, how long it took.

A line has numbers, codes and the attempt's key; nothing of the recipient, and no amount.
"""

import time
from collections.abc import Callable
from typing import Any

import structlog

from payouts import spans
from payouts.providers import Answer, Instruction, Provider

log = structlog.get_logger(__name__)


def pay(provider: Provider, instruction: Instruction, *, deadline: float) -> Answer:
    return logged("pay", provider.name, lambda: provider.pay(instruction, deadline=deadline), instruction)


def look_up(provider: Provider, instruction: Instruction, *, deadline: float) -> Answer:
    return logged("look_up", provider.name, lambda: provider.look_up(instruction, deadline=deadline), instruction)


def logged[Told](name: str, account: str, call: Callable[[], Told], about: Instruction | None = None) -> Told:
    """What the call returns; an error that leaves it has a line and a span too. `about` names the attempt."""
    facts: dict[str, Any] = {"call": name, "provider": account}
    if about:
        facts["attempt"] = str(about.reference)
    began_at = time.perf_counter()
    verdict: dict[str, Any] = {"verdict": "error"}
    with spans.span(name, kind="client", **facts) as span:
        try:
            answer = call()
            verdict = _verdict(answer)
            span.add(**verdict)
        finally:
            took = round((time.perf_counter() - began_at) * 1000, 1)
            log.info("provider_called", **facts, **verdict, duration_ms=took)
    return answer


def _verdict(answer: object) -> dict[str, Any]:
    if not isinstance(answer, Answer):
        return {"verdict": "told"}
    said = {"verdict": answer.verdict.value, "code": answer.code or None, "http_status": answer.http_status}
    return {name: value for name, value in said.items() if value is not None}
