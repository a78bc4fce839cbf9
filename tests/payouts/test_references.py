"""Keys follow from what they pay: the same for ever, and another for anything else."""

import itertools
from uuid import UUID

from payouts.references import attempt_reference, payout_reference

HERE = UUID("9f1f5b76-2f2b-4bb1-9a1c-0d9d1e4b7c11")
ELSEWHERE = UUID("0b8f3c52-6f0e-4d2a-8a51-7a0de1c2a9f3")


def test_the_references_never_change() -> None:
    """If one of these does, what a database forgets is paid twice."""
    payout = payout_reference(HERE, "shop", "order-1")

    assert payout == UUID("46d1f517-f0e6-533d-9324-f4ede74e7803")
    assert attempt_reference(payout, 1) == UUID("488dc9c3-6ce8-5296-b6bb-d0c3fab0a9a0")


def test_whatever_differs_makes_another_reference() -> None:
    asked = [
        *((HERE, "shop", "order-1"), (HERE, "shop", "order-2"), (HERE, "other", "order-1")),
        *(
            (ELSEWHERE, "shop", "order-1"),
            (HERE, "shop-1", "order"),
            (HERE, "shop", "-1order"),
            (HERE, "sho", "porder-1"),
        ),
        *((HERE, "shop", '","order-1'), (HERE, 'shop","', "order-1"), (HERE, "shop", "заказ")),
    ]

    found = [payout_reference(*each) for each in asked]
    found += [attempt_reference(payout, number) for payout, number in itertools.product(found, (1, 2, 11))]

    assert len(set(found)) == len(found)
