"""How fast the product is, on services of its own: `make bench`. It measures and never fails for being slow.

    make bench                              everything, in about six minutes on two cores
    make bench ARGS="latency"               some of: drain, latency, api, hot
    make bench ARGS="api --rows 100000"     with fewer payouts behind
    make bench ARGS=--small                 little of everything, in a minute: does each part work?

What it starts is what production runs: `manage.py cluster`, the web server as the image starts it, DEBUG off, a
PostgreSQL that syncs each commit to the disk, a Redis. Only the provider is the bench's own. The load, the provider
and the database share the machine's cores with the product, so the rates are those of a small machine that does all.
"""
