"""Pages of long lists, and the links from one to the next."""

from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from payouts.admin.kit import format


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


def one_page(request: HttpRequest, paginator: Paginator, **kept: str) -> dict[str, Any]:
    """The page that the address names, how many rows there are, and links to the pages before and after it.

    A link keeps what is chosen, and is empty where there is no such page.
    """
    page = paginator.get_page(request.GET.get("page"))
    chosen = {name: value for name, value in kept.items() if value}
    before, after = (
        f"?{urlencode({**chosen, 'page': number})}" if number in paginator.page_range else ""
        for number in (page.number - 1, page.number + 1)
    )
    return {
        "page": page,
        "count": format.number(paginator.count),
        "earlier_query": before,
        "later_query": after,
    }
