"""One django-q2 cluster under supervision.

django-q2's own repair is not relied on: a killed idle worker can leave its queue locked for ever with every process
alive (its issue 23), a killed monitor stops acknowledging, and SIGTERM now and then deadlocks it (its issue 346). So
the cluster is one group of processes that lives and dies together:

- any member that dies by a signal, or q2's time limit that strikes, brings the whole group down, and a new one up;
- a heartbeat task (it is the sweep) is handed to the group every SWEEP_SECONDS, past all queues, and must be executed
  and acknowledged within STALL_SECONDS, or the group is killed and started afresh;
- every member dies with its parent, so nothing outlives a killed supervisor;
- while the group answers, and while it drains, the supervisor touches a file (alive.py), by which the platform that
  runs it sees that the supervisor too is at work;
- one SIGTERM (or SIGINT), to the supervisor or to its whole group, drains: nothing more is taken, what was taken is
  finished and acknowledged, the idle group is killed, and the supervisor exits 0.

What a killed group was doing is safe: its leases end with it, because nobody holds them any more, and the next call
for those payouts looks up first.
"""

import ctypes
import os
import secrets
import signal
import socket
import time
from contextlib import suppress
from datetime import timedelta
from types import FrameType

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, connections
from django.db.models import Q
from django.db.models.functions import Now
from django_q.cluster import Cluster, Sentinel
from django_q.tasks import async_task

from payouts import actions
from payouts.models import Heartbeat
from payouts.worker import ask_banks, broker
from payouts.worker.alive import SignOfLife

log = structlog.get_logger(__name__)

TICK_SECONDS = 0.2
RESTART_PAUSE_SECONDS = 1.0
COMMITS_ARRIVE_SECONDS = 5.0
PR_SET_PDEATHSIG = 1  # prctl(2), Linux


class Supervisor:
    def __init__(self) -> None:
        self.name = f"{_host()}-{os.getpid()}-{secrets.token_hex(3)}"
        self.is_stopping = False
        self._killed: dict[str, float] = {}  # groups, and when
        self._looked_at = 0.0
        # A group that does not answer is killed after STALL_SECONDS, and the next one has as long.
        self._life = SignOfLife(settings.CLUSTER_ALIVE_FILE, lasts_seconds=2 * settings.STALL_SECONDS)
        self._life_is_shown = True

    def run(self) -> None:
        """Until a SIGTERM or SIGINT has drained the cluster."""
        self._life.end()  # of one that was killed here
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        log.info("cluster_starting", cluster=self.name, workers=settings.Q_WORKERS)
        self._begin()
        reason = "before it began"
        while not self.is_stopping:
            group = Group(self.name)
            reason = self._watch(group)
            group.kill()
            self._killed[group.progress.group] = time.monotonic()
            self._end_leases()
            if not self.is_stopping:
                log.error("cluster_restarted", cluster=self.name, reason=reason)
                time.sleep(RESTART_PAUSE_SECONDS)
        self._leave()
        self._life.end()
        log.info("cluster_stopped", cluster=self.name, reason=reason)

    def _begin(self) -> None:
        """Have the providers' banks asked for where no list is known, as in a new installation."""
        try:
            if ask_banks.kinds_due():
                async_task("payouts.tasks.ask_for_banks")
        except DatabaseError:
            log.warning("database_away", cluster=self.name)
            connection.close()

    def _end_leases(self) -> None:
        """Of the groups that were killed: once a second for a while, and until the database could be asked.

        A commit that a killed process had sent may arrive after it.
        """
        now = time.monotonic()
        if not self._killed or now - self._looked_at < 1.0:
            return
        self._looked_at = now
        try:
            for group, killed_at in list(self._killed.items()):
                if ended := actions.end_leases(group):
                    log.warning("leases_ended", cluster=self.name, payouts=ended)
                if now - killed_at > COMMITS_ARRIVE_SECONDS:
                    del self._killed[group]
        except DatabaseError:
            log.warning("database_away", cluster=self.name)
            connection.close()

    def _leave(self) -> None:
        """Forget the heartbeats, so that this cluster is not counted as alive."""
        try:
            Heartbeat.objects.filter(cluster=self.name).delete()
        except DatabaseError:
            log.warning("database_away", cluster=self.name)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.is_stopping = True

    def _show_life(self) -> None:
        try:
            self._life.show()
        except OSError as error:
            if self._life_is_shown:
                log.warning("alive_file_not_written", file=settings.CLUSTER_ALIVE_FILE, reason=str(error))
            self._life_is_shown = False
        else:
            self._life_is_shown = True

    def _watch(self, group: "Group") -> str:
        """Returns why the group must end: it died, it hangs, or it has drained."""
        pulse = Pulse(group.progress)
        stopped_at: float | None = None
        while True:
            self._end_leases()
            if not group.is_alive():
                return "a process of it died"
            if self.is_stopping:
                group.progress.drain()
                stopped_at = stopped_at or time.monotonic()
                # The pusher needs a moment to notice; then what it took has to be finished.
                waited = time.monotonic() - stopped_at
                if waited > 2 * TICK_SECONDS and group.progress.is_idle:
                    return "drained"
                if waited > settings.Q_TIMEOUT_SECONDS + 10:
                    return "not drained in time"
            elif pulse.has_stopped():
                return f"no heartbeat for {settings.STALL_SECONDS} seconds"
            if self.is_stopping or pulse.is_felt:
                self._show_life()
            time.sleep(TICK_SECONDS)


class Pulse:
    """Heartbeats, one at a time."""

    is_felt = False
    """While heartbeats are answered and written, and while the database is away: a new start would not mend that."""

    def __init__(self, progress: broker.Progress) -> None:
        self._progress = progress
        self._sent_at = -float(settings.SWEEP_SECONDS) - 1
        self._looked_at = -1.0
        self._is_waiting = False
        self._is_refused = False

    def has_stopped(self) -> bool:
        """Send the next heartbeat when it is time; True when the last one is not acknowledged in STALL_SECONDS.

        While the database is away no cluster does its work, so that time does not count.
        """
        now = time.monotonic()
        if self._is_waiting and not self._progress.is_beat_waiting:
            self._is_waiting, self.is_felt = False, self._is_written()
        is_late = now - self._sent_at > settings.SWEEP_SECONDS
        if self._is_waiting:
            if is_late and not self._is_database_there(now):
                return False
        elif is_late and self._is_database_there(now):
            self._progress.send_beat()
            self._sent_at, self._is_waiting = now, True
        return self._is_waiting and now - self._sent_at > settings.STALL_SECONDS

    def _is_database_there(self, now: float) -> bool:
        """Asked once a second at most."""
        if now - self._looked_at < min(1.0, settings.SWEEP_SECONDS / 2):
            return True
        self._looked_at = now
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except DatabaseError:
            log.warning("database_away", cluster=self._progress.cluster)
            connection.close()
            self._sent_at = now
            self.is_felt = True
            return False
        return True

    def _is_written(self) -> bool:
        """Whether what was answered is in the database: a sweep that it refuses is answered too, and pays nothing."""
        is_fresh = Q(beat_at__gte=Now() - timedelta(seconds=settings.STALL_SECONDS))
        try:
            is_written, reason = (
                Heartbeat.objects.filter(is_fresh, cluster=self._progress.cluster).exists(),
                "the sweep fails",
            )
        except (OperationalError, InterfaceError):
            return True  # away: the next look says so
        except DatabaseError as error:
            is_written, reason = False, str(error)
        if not is_written and not self._is_refused:
            log.error("heartbeat_refused", cluster=self._progress.cluster, reason=reason)
        self._is_refused = not is_written
        return is_written


def tell_unfit() -> None:
    """Note that no cluster begins here because its keys do not fit, for the figures and the start page.

    Under the host's name alone, and as one that is silent: who is started again and again is one cluster.
    """
    silent_since = Now() - timedelta(seconds=2 * settings.STALL_SECONDS)
    try:
        Heartbeat.objects.update_or_create(cluster=_host(), defaults={"beat_at": silent_since, "unfit_at": Now()})
    except (OperationalError, InterfaceError):
        log.exception("unfit_not_told")


def tell_fit() -> None:
    """A cluster begins here now."""
    Heartbeat.objects.filter(cluster=_host()).delete()


def _host() -> str:
    return socket.gethostname()[:40]


class Group:
    """The processes of one q2 cluster, in a session of their own."""

    def __init__(self, name: str) -> None:
        self.progress = broker.Progress(name)
        connections.close_all()  # a connection must not be shared across fork
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            self._become_cluster(parent)

    def is_alive(self) -> bool:
        if not self._pid:
            return False
        pid, _status = os.waitpid(self._pid, os.WNOHANG)
        if pid:
            self._kill_members()
            self._pid = 0
        return self._pid != 0

    def kill(self) -> None:
        if self._pid:
            self._kill_members()
            os.waitpid(self._pid, 0)
            self._pid = 0

    def _kill_members(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)

    def _become_cluster(self, parent: int) -> None:
        """In the child: never returns."""
        try:
            os.setsid()
            _die_with_parent()
            os.register_at_fork(after_in_child=_die_with_parent)
            if os.getppid() != parent:
                os._exit(1)
            broker.progress = self.progress
            cluster = Cluster()
            # q2 starts its sentinel by this name. Signals are for the supervisor alone.
            import django_q.cluster

            django_q.cluster.Sentinel = FragileSentinel
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            cluster.start()
            cluster.sentinel.join()
        except BaseException:
            log.exception("cluster_failed")
        os._exit(1)


class FragileSentinel(Sentinel):  # type: ignore[misc]  # django-q2 has no types
    """q2's sentinel, except that a member that died by itself ends the group instead of being replaced.

    A worker that has done its number of tasks is replaced as usual.
    """

    def spawn_cluster(self) -> None:
        # The members too leave signals to the supervisor, whoever sends them one by their common name.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        super().spawn_cluster()

    def reincarnate(self, process: object) -> None:
        timer = getattr(process, "timer", None)
        if timer is not None and int(timer.value) == RECYCLED:
            super().reincarnate(process)
            return
        log.error("cluster_member_died", pid=getattr(process, "pid", None), exit=getattr(process, "exitcode", None))
        os._exit(1)


RECYCLED = -2  # q2's mark in a worker's timer


def _die_with_parent() -> None:
    """SIGKILL when the parent ends; on Linux alone, elsewhere a killed supervisor leaves its group behind."""
    with suppress(AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
