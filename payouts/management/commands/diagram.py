from typing import Any

from django.core.management.base import BaseCommand

from payouts.states import FINAL, TRANSITIONS, Status


def diagram() -> str:
    """The states as a Mermaid state diagram, as the README shows it."""
    lines = ["stateDiagram-v2", f"    [*] --> {Status.PENDING}"]
    lines += [
        f"    {status} --> {target}"
        for status, targets in TRANSITIONS.items()
        for target in Status
        if target in targets
    ]
    lines += [f"    {status} --> [*]" for status in Status if status in FINAL]
    return "\n".join(lines)


class Command(BaseCommand):
    help = "Print the state diagram of the README, generated from states.py."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(diagram())
