"""What is measured, beside whom, and the bar that Sumun must reach."""

from dataclasses import dataclass, field

LOAD, IDLE, STUCK, START, HERD = "load", "idle", "stuck", "start", "herd"
PEERS = ("nginx", "haproxy", "envoy")


@dataclass(frozen=True)
class Scenario:
    """One situation. Every gateway of it runs at the same time; rounds are interleaved."""

    name: str
    path: str
    kind: str = LOAD
    peers: tuple = PEERS
    sumuns: tuple = ("sumun",)  # Sumun, and variants of it
    refuses: bool = False  # nearly every answer must be a 429
    cached: bool = False  # no call may reach the origin
    envoy_filters: str = ""
    routes: dict = field(default_factory=dict)  # gateway -> how many


@dataclass(frozen=True)
class Row:
    """One line of the table: a figure of a scenario, what it is compared with, and the bar."""

    title: str
    scenario: str
    figure: str  # key of a measurement
    unit: str
    bar: float
    against: str = "nginx"
    # `ratio`: figure / that of `against`; `difference`: figure - that; `value`: the figure alone.
    by: str = "ratio"
    subject: str = "sumun"


SCENARIOS = (
    # First: what one admitted call costs is needed to tell what one refusal does.
    Scenario("admit", "/admit/1k", envoy_filters="envoy-limit.yaml"),
    Scenario("pass", "/1k"),
    Scenario("cache", "/cache/1k", cached=True, envoy_filters="envoy-cache.yaml"),
    Scenario("refuse", "/limited/1k", refuses=True, envoy_filters="envoy-limit.yaml"),
    Scenario("body", "/64k"),
    Scenario("trace", "/1k", peers=(), sumuns=("sumun", "sumun-trace100")),
    # Among 10,000 it is one of a hundred below the same first segment.
    Scenario("routes", "/service-0/resource-0/1k", peers=(),
             sumuns=("sumun-routes10", "sumun-routes10000"),
             routes={"sumun-routes10": 10, "sumun-routes10000": 10_000}),
    Scenario("stuck", "/4m", kind=STUCK),
    Scenario("idle", "/1k", kind=IDLE),
    # nginx with its lock; the others can't.
    Scenario("herd", "/herd/warm", kind=HERD, peers=("nginx",)),
    Scenario("start", "/service-0/resource-0/1k", kind=START, peers=("nginx",),
             routes={"sumun": 100, "nginx": 100}),
)

ROWS = (
    Row("pass-through, 1 KiB", "pass", "cpu_us", "µs CPU", 1.25),
    Row("cache hit, 1 KiB", "cache", "cpu_us", "µs CPU", 0.7),
    Row("one 429", "refuse", "refusal_us", "µs CPU", 1.1),
    Row("admission on, none refused", "admit", "cpu_us", "µs CPU", 1.25),
    Row("64 KiB body", "body", "cpu_us", "µs CPU", 1.0),
    Row("tracing 100 % against 1 %", "trace", "cpu_us", "µs CPU", 5.0,
        against="sumun", by="difference", subject="sumun-trace100"),
    Row("10,000 routes against 10", "routes", "cpu_us", "µs CPU", 1.05,
        against="sumun-routes10", subject="sumun-routes10000"),
    Row("100 identical misses, origin of 300 ms", "herd", "shared_ms", "ms median", 320, by="value"),
    Row("… calls to the origin", "herd", "shared_calls", "calls", 1, by="value"),
    Row("the same, uncacheable, after the first herd", "herd", "own_ms", "ms median", 330, by="value"),
    Row("a client that never reads", "stuck", "kib_each", "KiB each", 128, by="value"),
    Row("an idle connection", "idle", "kib_each", "KiB each", 20, by="value"),
    Row("memory under load (PSS)", "pass", "pss_mib", "MiB", 25, by="value"),
    Row("from start to the first answer, 100 routes", "start", "ready_ms", "ms", 100, by="value"),
)
