"""What a page says of where its object stands."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NextStep:
    """Why it is where it is, and what is safe to do next, in a sentence each."""

    why: str
    then: str = ""
    is_alarm: bool = False
