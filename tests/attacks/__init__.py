"""What an attacker sends, and a runner that sends it to a real web server on services of its own.

    make attack                   all of it, and schemathesis for long: ARGS="framing bodies", ARGS=--list
    python -m tests.attacks --small    bounded, as the tests run it

corpus/   hostile HTTP as data: framing, addresses, queries, headers, bodies, forms
ids.py    one client's ids in another's hands
pages.py  every address of the back office in every role, and scripts in every stored text
fuzz.py   schemathesis, all of its checks, against the running API

Printed are counts: requests, answers 5xx, requests that hung, and answers that should not have been given. All but
the first must be 0.
"""
