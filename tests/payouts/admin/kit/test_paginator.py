"""Links from one page of a list to the next."""

from django.core.paginator import Paginator

from payouts.admin.kit.paginator import queries_beside


def test_a_page_leads_to_those_beside_it_and_keeps_what_is_chosen() -> None:
    pages = Paginator(range(30), 10)

    assert queries_beside(pages.page(2), show="errors", person="") == ("?show=errors&page=1", "?show=errors&page=3")


def test_there_is_nothing_before_the_first_page_and_after_the_last() -> None:
    pages = Paginator(range(20), 10)

    assert queries_beside(pages.page(1)) == ("", "?page=2")
    assert queries_beside(pages.page(2)) == ("?page=1", "")
    assert queries_beside(Paginator([], 10).page(1)) == ("", "")


def test_what_is_chosen_cannot_add_to_the_address() -> None:
    page = Paginator(range(20), 10).page(1)

    assert queries_beside(page, person="a&page=9#x") == ("", "?person=a%26page%3D9%23x&page=2")
