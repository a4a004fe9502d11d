"""What is asked of the machine: free ports, processes that end with us, CPU time, memory, calls."""

import ctypes
import http.client
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1  # linux/prctl.h
LIBC = ctypes.CDLL(None, use_errno=True)

# A gateway starts within a fraction of a second; Envoy on a busy machine within a few.
START_S_MAX = 20
END_S_MAX = 5


class BenchError(Exception):
    """Something that a person has to look at; the message says what and where."""


class Process:
    """A program pinned to one core. It ends with `stop`, and also when this process dies."""

    def __init__(self, name, argv, log, core, env=None):
        self.name, self.log = name, log

        def prepare():
            os.sched_setaffinity(0, {core})
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

        self.child = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**plain_environment(), **(env or {})},
            start_new_session=True,
            preexec_fn=prepare,
        )

    def wait_ready(self, port, path="/1k", expected=(200, 429)):
        """Waits until it answers; gives the seconds that took."""
        started = time.monotonic()
        while time.monotonic() - started < START_S_MAX:
            if self.child.poll() is not None:
                raise BenchError(f"{self.name} ended with {self.child.returncode}; see {self.log.name}")
            try:
                if get(port, path)[0] in expected:
                    return time.monotonic() - started
            except OSError:
                pass
            time.sleep(0.001)
        raise BenchError(f"{self.name} does not answer on port {port}; see {self.log.name}")

    def stop(self):
        """Asks it to end, then makes it. Only its own session is touched."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            if self.child.poll() is not None:
                break
            try:
                os.killpg(self.child.pid, how)
                self.child.wait(END_S_MAX)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue

    def pids(self):
        """Its process id and those of all its descendants."""
        children = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            fields = stat_fields(stat)
            if fields:
                children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
        found, open_ = [], [self.child.pid]
        while open_:
            pid = open_.pop()
            found.append(pid)
            open_ += children.get(pid, [])
        return found

    def cpu_s(self):
        """User and system time of the whole tree so far, s."""
        stats = (stat_fields(Path(f"/proc/{pid}/stat")) for pid in self.pids())
        return sum(int(fields[11]) + int(fields[12]) for fields in stats if fields) * TICK_S

    def pss_kib(self):
        """Memory of the whole tree, KiB: pages that others map too count in part."""
        total = 0
        for pid in self.pids():
            try:
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1])
            except (OSError, TypeError):
                pass  # ended meanwhile
        return total


def plain_environment():
    """Ours without what would configure a gateway behind the bench's back."""
    foreign = ("OTEL_", "SUMUN_")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


def stat_fields(path):
    """The fields of a `/proc/PID/stat` behind the program's name; None where it ended."""
    try:
        return path.read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None


def free_port():
    """A port that nothing listens on now. Whoever is given it binds it right away."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port, path, timeout_s=5):
    """Status and body of one GET. Anything that is no HTTP answer is an OSError."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise OSError(f"no HTTP answer: {error!r}") from error
    finally:
        connection.close()


def cores():
    """The core of the gateway, and the one of generator and origin."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise BenchError("two cores are needed: one for the gateway, one for what calls it")
    return usable[0], usable[1]
