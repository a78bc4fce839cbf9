"""A storm over the whole product, audited from outside: `make campaign`. Linux alone (it reads /proc).

    make campaign                                  1,000 payouts, in under five minutes on two cores
    CAMPAIGN_N=200 CAMPAIGN_SEED=7 make campaign   fewer, along other dice
    CAMPAIGN_N=60 make campaign                    as few as can be: does it still work? Nothing is judged by its time
    CAMPAIGN_PROVIDER=yookassa make campaign       the provider speaks as YooKassa does (dialects/)
    CAMPAIGN_BROKER=redis make campaign            rings are queued in Redis, which is killed and flushed as ever
    CAMPAIGN_ORPHANS=reaped make campaign          reaped | alive | both: what becomes of a killed program's children
    CAMPAIGN_KEEP=/tmp/kept make campaign          leaves the programs' logs and the provider's ledger there
    CAMPAIGN_PYTHON="…/python" make campaign       web and clusters by another Python, as an image's (tests/image)
    CAMPAIGN_MUTANT=no_sweep make campaign         with one mechanism broken, which must be caught
    make campaign ARGS=--mutants                   every mutant after the other, as a table; half an hour
    make campaign ARGS="--mutants no_pinning"      some of them

What runs is what production runs, in processes of its own: PostgreSQL that syncs its commits, a Redis, granian with
the options of the Dockerfile, two `manage.py cluster`. Clients submit over HTTP, operators decide, and meanwhile
processes are killed and stopped, PostgreSQL and Redis too, and the provider fails in every way that it can, kills its
callers at the worst moments, and forgets keys past their TTL. In the end the provider's ledger and the database are
compared in plain SQL. Exit 0: nothing is wrong. 1: the report counts what is, by name. 2: void, because something
that should have struck never did.

Three things differ from production, the same for the sound product and for mutants: the time limits of the settings
are seconds (plan.py), as are those that a provider declares and the pauses between look-ups (scaled.py); and what is
broken by a mutant.
"""
