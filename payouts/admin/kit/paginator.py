"""Pages of long lists."""

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property


class CappedPaginator(Paginator):
    """Counts no more than LIMIT rows: the count of a large table takes seconds, and nobody turns its last page."""

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
