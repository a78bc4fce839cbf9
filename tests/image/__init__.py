"""The image, built and tried on a machine without a container engine: `make image`. Linux and root alone.

    make image                        build it, run each command of it, and the campaign's small form against it
    make image ARGS=--no-campaign     without the campaign
    make image ARGS=--fresh           with a new stand-in for its base
    make image ARGS=--where-possible  exit 0 where a tool is missing, with one line that says which

Base images cannot be had everywhere, so debootstrap makes a stand-in for python:3.13-slim: a minimal Debian with this
machine's Python in /usr/local, without bytecode, as there. buildah builds the Dockerfile on it. What is built runs as
a platform should run it: the root read-only, as user 10001, without a capability, with a /tmp of its own (inside.sh).

PostgreSQL and Redis are the bench's own. Out of the image come migrate, web, cluster, exporter and the sandbox; a
payout is paid, and each is stopped by one SIGTERM. Nothing is judged by its time: the seconds are told, and hold for
this machine.
"""
