"""Pages of long lists, and the links from one to the next."""

from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property


class CappedPaginator(Paginator):
    """Counts LIMIT rows at most: counting a large table takes seconds, and nobody opens its last page."""

    LIMIT = 10_000
    template_name = "admin/payouts/payout/pagination.html"

    @cached_property
    def count(self) -> int:
        return min(self._found, self.LIMIT)

    @property
    def is_capped(self) -> bool:
        return self._found > self.LIMIT

    @cached_property
    def _found(self) -> int:
        rows = self.object_list
        assert isinstance(rows, QuerySet)
        return rows.order_by()[: self.LIMIT + 1].count()


def queries_beside(page: Page[Any], **kept: str) -> tuple[str, str]:
    """Links to the pages before and after, with what is chosen kept; empty where there is no such page."""
    chosen = {name: value for name, value in kept.items() if value}
    numbers = page.paginator.page_range
    before, after = (
        f"?{urlencode({**chosen, 'page': number})}" if number in numbers else ""
        for number in (page.number - 1, page.number + 1)
    )
    return before, after
