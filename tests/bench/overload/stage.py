"""What an experiment stands on: services, gateways and callers as processes, and how each is asked.

The gateway has one core; service and callers have the other. Everything listens on 127.0.0.1 and
ends with the run.
"""

import contextlib
import json
import os
import re
import subprocess
import time
from pathlib import Path

from machine import START_S_MAX, BenchError, Process, free_port, get

HERE = Path(__file__).resolve().parent
POLICIES = HERE / "policies"

# The service of most experiments.
WORKERS, MEAN_MS = 20, 20
CAPACITY_RPS = WORKERS / MEAN_MS * 1000
SLO_MS = 10 * MEAN_MS
# Calls that may wait in its queue; a caller there waits two seconds, ten times the objective.
QUEUE_MAX = 2000

# The gateways that are Sumun: its policy, and whether it is the other build (`--beside`).
SUMUNS = {"sumun": ("share.yaml", False), "sumun-95": ("share-95.yaml", False),
          "beside": ("share.yaml", True)}
BASELINES = ("none", "threshold", "fixed-rps", "gradient2", "envoy")

# A run whose callers or service were later than this measured the machine; it is marked.
LAG_P99_US_MAX = 10_000
SERVICE_LATE_US_MAX = 1_000


class Stage:
    """Starts and asks. `tool` is the program of services, callers and baselines."""

    def __init__(self, sumun, beside, tool, gateway_core, other_core, folder, log):
        self.sumun, self.beside, self.tool = sumun, beside, tool
        # Those of E1, and those of the other experiments.
        self.sumuns = [name for name, (_, other) in SUMUNS.items() if beside or not other]
        self.builds = [name for name in self.sumuns if name != "sumun-95"]
        self.gateway_core, self.other_core = gateway_core, other_core
        self.folder, self.log = folder, log
        self.count = 0

    def fresh(self, name):
        self.count += 1
        folder = self.folder / f"{self.count}-{name}"
        folder.mkdir()
        return folder

    def role(self, role, settings, core):
        """A role that prints its port."""
        told = self.fresh(role) / "port"
        with open(told, "wb") as output:
            process = Process(role, [self.tool, role, json.dumps(settings)], output, core)
        deadline = time.monotonic() + START_S_MAX
        while not told.read_text().endswith("\n"):
            if process.child.poll() is not None or time.monotonic() > deadline:
                process.stop()
                raise BenchError(f"{role} did not start: {told.read_text()}")
            time.sleep(0.002)
        process.port = int(told.read_text())
        return process

    @contextlib.contextmanager
    def service(self, service="exponential", workers=WORKERS, mean_ms=MEAN_MS, seed=1):
        settings = {"port": 0, "workers": workers, "mean_ms": mean_ms, "service": service,
                    "queue_max": QUEUE_MAX, "seed": seed}
        process = self.role("upstream", settings, self.other_core)
        try:
            yield process
        finally:
            process.stop()

    @contextlib.contextmanager
    def front(self, name, services, policy=None, **settings):
        """A gateway: Sumun under a policy, or a baseline in front of the service `SERVICE`."""
        if name in SUMUNS:
            usual, other = SUMUNS[name]
            binary = self.beside if other else self.sumun
            process = self.start_sumun(binary, POLICIES / (policy or usual), services)
        else:
            settings = {"port": 0, "to": services["SERVICE"].port, "gate": name,
                        "rate": CAPACITY_RPS, "burst": CAPACITY_RPS / 10,
                        "retry_after_s": [1, 1], **settings}
            process = self.role("proxy", settings, self.gateway_core)
        try:
            yield process
        finally:
            process.stop()

    def start_sumun(self, binary, policy, services):
        folder = self.fresh("sumun")
        port, state = free_port(), folder / "state"
        (folder / "policies").mkdir()
        text = policy_text(policy.name, services)
        (folder / "policies" / policy.name).write_text(text)
        argv = [binary, "run", "--config", HERE / "sumun.yaml", "--policies", folder / "policies",
                "--state", state, "--listen", f"127.0.0.1:{port}", "--admin", "127.0.0.1:0",
                "--workers", 1]
        process = Process("sumun", argv, self.log, self.gateway_core)
        try:
            # An unknown path: nothing reaches the service before the experiment does.
            process.wait_ready(port, "/-", expected=(404,))
            process.port = port
            process.admin_port = addresses(state)
            process.token = (state / "admin.token").read_text().strip()
        except BaseException:
            process.stop()
            raise
        return process

    def call(self, role, settings):
        """Starts callers; `finish` gives their figures."""
        told = self.fresh(role) / "figures"
        with open(told, "wb") as output:
            callers = subprocess.Popen(
                [str(self.tool), role, json.dumps(settings)], stdout=output,
                preexec_fn=lambda: os.sched_setaffinity(0, {self.other_core}))
        callers.told = told
        return callers

    def load(self, port, streams, window_s, cues=(), bin_ms=100, seed=1):
        """Callers that nobody holds back. Streams: name -> [(seconds, calls a second), …]."""
        return self.call("load", {
            "port": port, "seed": seed, "slo_ms": SLO_MS, "bin_ms": bin_ms, "timeout_ms": 5000,
            "connections_max": 4000, "connections_ready": 64, "window_s": window_s,
            "streams": [{"name": name, "path": f"/{name}/x", "phases": phases}
                        for name, phases in streams.items()],
            "cues": [{"at_s": at_s, "port": port, "path": path} for at_s, port, path in cues],
        })


def finish(callers):
    """The figures of callers once they have ended."""
    try:
        callers.wait()
    except BaseException:
        callers.kill()
        callers.wait()
        raise
    if callers.returncode:
        raise BenchError(f"the callers ended with {callers.returncode}")
    return json.loads(callers.told.read_text())


def policy_text(name, services):
    """A policy with its @WORDS@ replaced by the addresses of services."""
    text = (POLICIES / name).read_text()
    for word, service in services.items():
        text = text.replace(f"@{word}@", f"127.0.0.1:{service.port}")
    return text


def addresses(state):
    """The port of the admin listener; the file is written once Sumun is ready."""
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline:
        try:
            return int(json.loads((state / "addresses.json").read_text())["admin"].rsplit(":", 1)[1])
        except (OSError, ValueError):
            time.sleep(0.005)
    raise BenchError(f"no addresses.json in {state}")


def stats(service):
    """What the service counted."""
    return json.loads(get(service.port, "/__stats")[1])


def gauges(gateway, metric, label):
    """A gauge of Sumun's own metrics, by the value of one label."""
    text = get(gateway.admin_port, "/metrics")[1].decode()
    found = re.findall(rf'^{metric}{{[^}}]*\b{label}="([^"]*)"[^}}]*}} (\S+)', text, re.M)
    return {name: float(value) for name, value in found}


def cpu_s(process):
    """CPU time of a process and all its threads so far, s, by the scheduler's own nanoseconds."""
    total = 0
    for pid in process.pids():
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def doubts(result, *services):
    """Why a run measured the machine rather than the gateway."""
    found = []
    if (result["lag_p99_us"] or 0) > LAG_P99_US_MAX:
        found.append(f"callers {result['lag_p99_us'] / 1000:.0f} ms late")
    if result["unsent"]:
        found.append(f"{result['unsent']} calls found no connection")
    for service in services:
        late_us = stats(service)["late_mean_us"]
        if late_us > SERVICE_LATE_US_MAX:
            found.append(f"service {late_us / 1000:.1f} ms late")
    return found
