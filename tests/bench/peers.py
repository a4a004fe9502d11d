"""The gateways: how each is configured for a scenario and started, on a port of its own."""

import json
import re
import time
from pathlib import Path

import tools
from machine import START_S_MAX, BenchError, Process, free_port, get

CONF = Path(__file__).resolve().parent / "conf"

# Routes in one policy file: a file has a bound on its values.
ROUTES_PER_FILE = 1000
# Routes that policies.yaml has already.
ROUTES_USUAL = 5


class Gateway:
    """One gateway with one worker, in front of the origin."""

    def __init__(self, name, process, port, started_s, admin_port=None):
        self.name, self.process, self.port = name, process, port
        self.started_s, self.admin_port = started_s, admin_port

    def metric(self, name):
        """A counter of its own `/metrics`, summed over labels; None where it has no admin port."""
        if self.admin_port is None:
            return None
        text = get(self.admin_port, "/metrics")[1].decode()
        lines = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)", text, re.M)
        return sum(map(float, lines))


class Ground:
    """What all gateways of a run share: the origin, the core, folder and log."""

    def __init__(self, origin_port, core, folder, log, limit, sumun):
        self.origin_port, self.core, self.folder, self.log = origin_port, core, folder, log
        self.limit, self.sumun = limit, sumun
        self.count = 0

    def start(self, name, scenario):
        """Starts a gateway by name: nginx, haproxy, envoy, sumun, or a variant of sumun."""
        self.count += 1
        folder = self.folder / f"{self.count}-{name}"
        folder.mkdir()
        folder.chmod(0o777)  # nginx's worker is another user
        kind = name.partition("-")[0]
        starters = {"nginx": nginx, "haproxy": haproxy, "envoy": envoy, "sumun": sumun}
        if kind not in starters:
            raise BenchError(f"unknown gateway: {name}; known are {', '.join(starters)}")
        return starters[kind](self, name, scenario, folder)

    def launch(self, name, argv, port, path, env=None):
        process = Process(name, argv, self.log, self.core, env)
        try:
            return Gateway(name, process, port, process.wait_ready(port, path))
        except BaseException:
            process.stop()
            raise

    def words(self, folder, port):
        return {
            "PORT": port,
            "ORIGIN": f"127.0.0.1:{self.origin_port}",
            "ORIGIN_HOST": "127.0.0.1",
            "ORIGIN_PORT": self.origin_port,
            "DIR": folder,
            "LIMIT": self.limit,
        }


def fill(template, target, words):
    """Writes a template with its @WORDS@ replaced; a word alone on its line keeps its indent."""
    text = re.sub(r"^#.*\n", "", (CONF / template).read_text(), flags=re.M)
    for name, value in words.items():
        text = re.sub(rf"^( *)@{name}@$", lambda found: indent(found[1], str(value)), text, flags=re.M)
        text = text.replace(f"@{name}@", str(value))
    left = re.search(r"@[A-Z_]+@", text)
    if left:
        raise BenchError(f"{template}: nothing is known for {left[0]}")
    target.write_text(text)
    return target


def indent(space, block):
    return "\n".join(space + line for line in block.splitlines())


def nginx(ground, name, scenario, folder):
    port = free_port()
    routes = "\n".join(
        f"location {route_path(number)}/ {{ proxy_pass http://origin; }}"
        for number in range(scenario.routes.get("nginx", 0))
    )
    words = {"ROUTES": routes, **ground.words(folder, port)}
    config = fill("nginx.conf", folder / "nginx.conf", words)
    return ground.launch(name, [tools.find("nginx"), "-p", folder, "-c", config], port, scenario.path)


def haproxy(ground, name, scenario, folder):
    port = free_port()
    config = fill("haproxy.cfg", folder / "haproxy.cfg", ground.words(folder, port))
    return ground.launch(name, [tools.find("haproxy"), "-db", "-f", config], port, scenario.path)


def envoy(ground, name, scenario, folder):
    port = free_port()
    filters = (CONF / scenario.envoy_filters).read_text() if scenario.envoy_filters else ""
    tokens = max(1, ground.limit // 20) if scenario.refuses else 4_000_000_000
    words = {"FILTERS": filters, "TOKENS": tokens, **ground.words(folder, port)}
    config = fill("envoy.yaml", folder / "envoy.yaml", words)
    argv = [tools.envoy(), "--concurrency", 1, "-l", "error", "--disable-hot-restart", "-c", config]
    return ground.launch(name, argv, port, scenario.path)


def sumun(ground, name, scenario, folder):
    """Variants: `sumun-trace100` keeps every trace; `sumun-routesN` has N routes."""
    port = free_port()
    words = ground.words(folder, port)
    settings = fill("sumun/sumun.yaml", folder / "sumun.yaml", words)
    policies, state = folder / "policies", folder / "state"
    policies.mkdir()
    fill("sumun/policies.yaml", policies / "bench.yaml", words)
    write_routes(policies, scenario.routes.get(name, 0) - ROUTES_USUAL)
    argv = [ground.sumun, "run", "--config", settings, "--policies", policies, "--state", state,
            "--listen", f"127.0.0.1:{port}", "--admin", "127.0.0.1:0", "--workers", 1]
    ratio = "1.0" if name.endswith("trace100") else "0.01"
    env = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{ground.origin_port}/v1/traces",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": ratio,
    }
    gateway = ground.launch(name, argv, port, scenario.path, env)
    gateway.admin_port = admin_port(state / "addresses.json")
    return gateway


def admin_port(addresses):
    """The port of the admin listener; the file is written once Sumun is ready."""
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline:
        try:
            return int(json.loads(addresses.read_text())["admin"].rsplit(":", 1)[1])
        except (OSError, ValueError):
            time.sleep(0.005)
    raise BenchError(f"{addresses} was not written")


def route_path(number):
    """Where the route with this number is: a hundred services with as many resources as it takes."""
    return f"/service-{number % 100}/resource-{number // 100}"


def write_routes(folder, count):
    for begin in range(0, count, ROUTES_PER_FILE):
        lines = ["version: 1", "routes:"]
        for number in range(begin, min(begin + ROUTES_PER_FILE, count)):
            lines += [
                f"  route-{number}:",
                f"    match: {{ path: {route_path(number)}/** }}",
                "    function: work",
                "    class: default",
                "    admission: { rps: { limit: 1000000, burst: 100000 } }",
            ]
        (folder / f"routes-{begin}.yaml").write_text("\n".join(lines) + "\n")
