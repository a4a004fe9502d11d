"""One measurement of one gateway, and the rounds of a scenario."""

import json
import os
import selectors
import socket
import statistics
import struct
import subprocess
import sys
import time

from machine import BenchError, get
from scenarios import HERD, IDLE, LOAD, STUCK

# Before each measured run: connections are made, caches filled, code is warm.
WARM_S = 0.7
# Memory has settled when it moves less than this between two looks.
SETTLED_KIB = 64
SETTLE_S_MAX = 10
# Of a run's answers: more than this from the origin is no cache, less refused is no refusal.
TO_ORIGIN_SHARE_MAX = 0.01
REFUSED_SHARE_MIN = 0.5
# Identical calls at once, and the longest that one may take: nginx lets a herd wait for seconds.
HERD_CALLS = 100
HERD_S_MAX = 30


class Bench:
    """How a run measures: load, time, cores, the origin."""

    def __init__(self, options, ground, generator, generator_core):
        self.options, self.ground = options, ground
        self.generator, self.generator_core = generator, generator_core
        self.admitted_us = {}  # gateway -> CPU of one admitted call, from the scenario `admit`

    def run(self, scenario, names):
        """Measures a scenario: for each round one row per gateway, in turning order."""
        if scenario.kind not in (LOAD, IDLE, STUCK, HERD):
            return self.starts(scenario, names)
        rounds = self.options.rounds if scenario.kind in (LOAD, HERD) else 1
        gateways, rows = [], []
        try:
            for name in names:
                gateways.append(self.ground.start(name, scenario))
            for round_ in range(rounds):
                turn = round_ % len(gateways)
                row = {}
                for gateway in gateways[turn:] + gateways[:turn]:
                    row[gateway.name] = self.one(scenario, gateway)
                    self.tell(scenario, round_, gateway.name, row[gateway.name])
                rows.append(row)
        finally:
            for gateway in gateways:
                gateway.process.stop()
        if scenario.name == "admit":
            for name in names:
                self.admitted_us[name] = sorted(row[name]["cpu_us"] for row in rows)[len(rows) // 2]
        return rows

    def one(self, scenario, gateway):
        if scenario.kind == LOAD:
            return self.load(scenario, gateway)
        if scenario.kind == HERD:
            return self.herds(gateway)
        return self.connections(scenario, gateway)

    def tell(self, scenario, round_, name, row):
        figures = " ".join(f"{key}={value:.1f}" for key, value in row.items()
                           if key not in ("faults", "secs") and isinstance(value, (int, float)))
        print(f"  {scenario.name} {round_ + 1} {name}: {figures} {'; '.join(row['faults'])}",
              file=sys.stderr, flush=True)
        if self.options.json:
            with open(self.options.json, "a") as file:
                line = {"scenario": scenario.name, "round": round_, "gateway": name, **row}
                file.write(json.dumps(line) + "\n")

    # === load ===

    def generate(self, port, path, secs):
        command = [self.generator, f"127.0.0.1:{port}", path, "-c", str(self.options.connections),
                   "-d", str(secs)]
        done = subprocess.run(command, capture_output=True, text=True,
                              preexec_fn=lambda: os.sched_setaffinity(0, {self.generator_core}))
        if done.returncode:
            raise BenchError(f"the load generator failed: {done.stderr[-500:]}")
        return json.loads(done.stdout)

    def origin_counts(self):
        """GETs and body bytes that the origin has seen."""
        gets, body_bytes = get(self.ground.origin_port, "/__count")[1].split()
        return int(gets), int(body_bytes)

    def load(self, scenario, gateway):
        process = gateway.process
        self.generate(gateway.port, scenario.path, WARM_S)
        gets, span_bytes = self.origin_counts()
        dropped = gateway.metric("sumun_spans_dropped_total")
        cpu_s, begun = process.cpu_s(), time.monotonic()
        row = self.generate(gateway.port, scenario.path, self.options.secs)
        cpu_s, wall_s = process.cpu_s() - cpu_s, time.monotonic() - begun
        gets_after, span_bytes_after = self.origin_counts()
        answers = row["ok"] + row["refused"] + row["other"]
        if not answers:
            raise BenchError(f"{gateway.name} answered nothing in {scenario.name}")
        refused = row["refused"] / answers
        row |= {
            "rps": answers / row["secs"],
            "cpu_us": cpu_s / answers * 1e6,
            "busy_percent": cpu_s / wall_s * 100,
            "refused_percent": refused * 100,
            "origin_percent": (gets_after - gets) / answers * 100,
            "span_bytes_each": (span_bytes_after - span_bytes) / answers,
            "pss_mib": process.pss_kib() / 1024,
        }
        if dropped is not None:
            dropped = gateway.metric("sumun_spans_dropped_total") - dropped
            row["spans_dropped_percent"] = dropped / answers * 100
        admitted_us = self.admitted_us.get(gateway.name)
        if scenario.refuses and admitted_us and refused:
            row["refusal_us"] = (row["cpu_us"] - admitted_us * (1 - refused)) / refused
        row["faults"] = faults(scenario, row)
        return row

    # === connections that cost memory only ===

    def connections(self, scenario, gateway):
        """Memory of connections that idle after one answer, or never read a large one."""
        stuck = scenario.kind == STUCK
        count = self.options.stuck if stuck else self.options.idle
        self.generate(gateway.port, "/1k", WARM_S)
        before = settled_kib(gateway.process)
        opened = []
        try:
            for _ in range(count):
                opened.append(ask(gateway.port, scenario.path, stuck))
            after = settled_kib(gateway.process)
            alive = sum(is_alive(connection, stuck) for connection in opened)
        finally:
            for connection in opened:
                # Reset: what is unread is thrown away at once.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()
        row = {"before_mib": before / 1024, "after_mib": after / 1024,
               "kib_each": (after - before) / count, "alive": alive}
        row["faults"] = [] if alive == count else [f"{count - alive} of {count} were closed"]
        return row

    # === herds ===

    def herds(self, gateway):
        """Identical misses at once: of what can be shared, and of what turns out that it can't."""
        name = f"{gateway.name}-{time.monotonic_ns()}"
        row = {}
        for kind in ("shared", "own", "own"):  # the last one counts: the first has to find out
            before = self.origin_counts()[0]
            took_ms, wrong = herd(gateway.port, f"/herd/{kind}-{name}")
            row[f"{kind}_ms"] = statistics.median(took_ms)
            row[f"{kind}_ms_max"] = max(took_ms)
            row[f"{kind}_calls"] = self.origin_counts()[0] - before
            row["wrong"] = row.get("wrong", 0) + wrong
        row["faults"] = [f"{row['wrong']} wrong answers"] if row["wrong"] else []
        return row

    # === start ===

    def starts(self, scenario, names):
        """From the process's start to its first answer."""
        rows = []
        for round_ in range(self.options.starts):
            row = {}
            for name in names:
                gateway = self.ground.start(name, scenario)
                gateway.process.stop()
                row[name] = {"ready_ms": gateway.started_s * 1000, "faults": []}
                self.tell(scenario, round_, name, row[name])
            rows.append(row)
        return rows


def faults(scenario, row):
    """Why a row proves nothing."""
    found = []
    if row["other"] or row["errors"]:
        found.append(f"{row['other']} wrong answers, {row['errors']} errors")
    if scenario.cached and row["origin_percent"] > TO_ORIGIN_SHARE_MAX * 100:
        found.append(f"{row['origin_percent']:.0f} % went to the origin")
    if scenario.refuses and row["refused_percent"] < REFUSED_SHARE_MIN * 100:
        found.append(f"only {row['refused_percent']:.0f} % refused")
    if not scenario.refuses and row["refused"]:
        found.append(f"{row['refused']} refused")
    return found


def settled_kib(process):
    """Memory once it no longer moves."""
    deadline = time.monotonic() + SETTLE_S_MAX
    last, steady = process.pss_kib(), 0
    while steady < 2 and time.monotonic() < deadline:
        time.sleep(0.5)
        now = process.pss_kib()
        steady = steady + 1 if abs(now - last) <= SETTLED_KIB else 0
        last = now
    return last


def herd(port, path):
    """Asks for one path on many connections at once: milliseconds of each, and wrong answers."""
    request = b"GET %s HTTP/1.1\r\nHost: bench.local\r\n\r\n" % path.encode()
    waiting = selectors.DefaultSelector()
    took_ms, wrong = [], 0
    connections = [socket.create_connection(("127.0.0.1", port), HERD_S_MAX) for _ in range(HERD_CALLS)]
    try:
        for connection in connections:
            state = {"asked": time.monotonic(), "got": b""}
            connection.sendall(request)
            connection.setblocking(False)
            waiting.register(connection, selectors.EVENT_READ, state)
        while len(took_ms) < HERD_CALLS:
            ready = waiting.select(HERD_S_MAX)
            if not ready:
                raise BenchError(f"port {port} left a herd waiting")
            for key, _ in ready:
                piece = key.fileobj.recv(65536)
                key.data["got"] += piece
                if piece and len(key.data["got"].partition(b"\r\n\r\n")[2]) < 1024:
                    continue
                took_ms.append((time.monotonic() - key.data["asked"]) * 1000)
                wrong += not key.data["got"].startswith(b"HTTP/1.1 200")
                waiting.unregister(key.fileobj)
    finally:
        waiting.close()
        for connection in connections:
            connection.close()
    return took_ms, wrong


def ask(port, path, stuck):
    """A connection that has asked for a path; with its answer read, unless it is a stuck one."""
    connection = socket.socket()
    connection.settimeout(5)
    if stuck:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    connection.connect(("127.0.0.1", port))
    connection.sendall(b"GET %s HTTP/1.1\r\nHost: bench.local\r\n\r\n" % path.encode())
    got = b""
    while not stuck and len(got.partition(b"\r\n\r\n")[2]) < 1024:
        piece = connection.recv(65536)
        if not piece:
            raise BenchError(f"port {port} closed a connection before it answered")
        got += piece
    return connection


def is_alive(connection, stuck):
    """Whether the gateway still holds the connection open."""
    connection.setblocking(False)
    try:
        waiting = connection.recv(1, socket.MSG_PEEK)
        return stuck and bool(waiting)
    except BlockingIOError:
        return True
    except OSError:
        return False
