"""What `make run` prints: its programs' lines, each with its writer's name, after the banner."""

import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field

COLOURS = {"web": 36, "cluster": 35, "provider": 33, "postgres": 34, "redis": 31}


@dataclass
class Console:
    """Prefixes each line with its writer's name, and holds the lines back until the banner is out."""

    colourful: bool = field(default_factory=lambda: sys.stdout.isatty() and not os.environ.get("NO_COLOR"))
    held: list[str] | None = field(default_factory=list)
    mid_line: bool = False

    def say(self, text: str, end: str = "\n") -> None:
        with suppress(OSError):  # the terminal is gone, which stops nothing
            print(text, end=end, flush=True)
        self.mid_line = end == ""

    def log(self, name: str, line: str) -> None:
        prefix = f"{name:>8} |"
        text = f"\033[{COLOURS[name]}m{prefix}\033[0m {line}" if self.colourful else f"{prefix} {line}"
        if self.held is None:
            self.say(text)
        else:
            self.held.append(text)

    def break_line(self) -> None:
        if self.mid_line:
            self.say("")

    def release(self) -> None:
        held, self.held = self.held, None
        for text in held or ():
            self.say(text)
