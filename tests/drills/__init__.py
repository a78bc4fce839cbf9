"""Each failure that docs/safety.md promises to survive, once, against real processes: `make drills`.

    make drills                              all of them, in a quarter of an hour on two cores, longer on busy ones
    make drills ARGS="outage redis"          some of them
    make drills ARGS=--list                  their names
    make drills ARGS=--small                 with few payouts, in a few minutes: does each still work?

A drill runs PostgreSQL with fsync on, a Redis, the web server with production's settings, `manage.py cluster` and a
provider program of its own, breaks one of them, and prints one line with its figure. The exit code is 1 when a figure
is not what docs/safety.md promises; in the small form nothing is judged that hangs on how quick the machine is. A
random storm of all failures at once is `make campaign`.
"""
