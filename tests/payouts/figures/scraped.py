"""What a scrape says: its samples by name and labels, and the names of its families."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from payouts.figures import families, totals


class Scrape:
    def __init__(self, text: str) -> None:
        self.text = text
        self.families = list(text_string_to_metric_families(text))
        self.samples = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in self.families
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        """None where there is no such sample."""
        return self.samples.get((f"payouts_{name}", tuple(sorted(labels.items()))))

    @property
    def names(self) -> set[str]:
        """As queries name them."""
        return {name for family in self.families for name in _queried(family)}


def _queried(family: Metric) -> Iterable[str]:
    match family.type:
        case "counter":
            return [f"{family.name}_total"]
        case "histogram":
            return [f"{family.name}_{part}" for part in ("bucket", "count", "sum")]
        case _:
            return [family.name]


class _Collector:
    def __init__(self, counting: totals.Counting) -> None:
        self.collect = lambda: families.collected(counting)

    def describe(self) -> list[Metric]:
        return []


def scraped(counting: totals.Counting | None = None) -> Scrape:
    registry = CollectorRegistry()
    registry.register(_Collector(counting or totals.Counting()))
    return Scrape(generate_latest(registry).decode())
