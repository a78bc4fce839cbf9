"""What is counted, and what is said of a request that went wrong."""

from dataclasses import dataclass, field

TOLD = 20


@dataclass
class Tally:
    """Of one part. `wrong` are answers that are neither 5xx nor late, and should not have been given."""

    requests: int = 0
    server_errors: int = 0
    hung: int = 0
    wrong: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return self.requests > 0 and not self.server_errors and not self.hung and not self.wrong

    def count(self, what: str, status: int | None, *, hung: bool = False, is_right: bool, said: str = "") -> None:
        """One request and its answer; the status is None where the connection was closed without one."""
        self.requests += 1
        if hung:
            self.hung += 1
        elif status is not None and status >= 500:
            self.server_errors += 1
        elif not is_right:
            self.wrong += 1
        else:
            return
        self.faults.append(f"{what}: {'hung' if hung else status or 'closed unanswered'}{said and f' ({said})'}")

    def expect(self, holds: object, fault: str) -> None:
        """Something beside the answers, such as that nothing was changed."""
        if not holds:
            self.wrong += 1
            self.faults.append(fault)

    def line(self, name: str) -> str:
        verdict = "ok" if self.is_clean else "FAILED"
        return (
            f"{verdict:6} {name:10} {self.requests:6} requests  {self.server_errors} × 5xx  {self.hung} hung  "
            f"{self.wrong} wrong"
        )

    def told(self) -> list[str]:
        rest = len(self.faults) - TOLD
        return [*self.faults[:TOLD], *([f"… and {rest} more"] if rest > 0 else [])]
