"""Links from one page of a list to the next."""

from django.core.paginator import Paginator
from django.test import RequestFactory

from payouts.admin.kit.paginator import one_page


def beside(rows: int, *, page: int, **kept: str) -> tuple[str, str]:
    shown = one_page(RequestFactory().get("/", {"page": page}), Paginator(range(rows), 10), **kept)
    return shown["earlier_query"], shown["later_query"]


def test_a_page_leads_to_those_beside_it_and_keeps_what_is_chosen() -> None:
    assert beside(30, page=2, show="errors", person="") == ("?show=errors&page=1", "?show=errors&page=3")


def test_there_is_nothing_before_the_first_page_and_after_the_last() -> None:
    assert beside(20, page=1) == ("", "?page=2")
    assert beside(20, page=2) == ("?page=1", "")
    assert beside(0, page=1) == ("", "")


def test_what_is_chosen_cannot_add_to_the_address() -> None:
    assert beside(20, page=1, person="a&page=9#x") == ("", "?person=a%26page%3D9%23x&page=2")
