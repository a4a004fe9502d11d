"""The experiments on budgets, costs, clients that come back, and signals that fail: E7, E9, E10, E11."""

import http.client
import json
import subprocess
import time
from contextlib import ExitStack

from experiments import mixed, say
from machine import BenchError, get
from stage import POLICIES, cpu_s, doubts, finish, stats

# E7
CLIENTS, BUDGET = 2000, 100
RATE_RPS, RATE_BURST = 500, 50
# E10
# The burst where a policy says none is a second's worth, and one that is much smaller.
RETURN_RPS, RETURN_BURST, RETURN_BURST_SMALL = 100, 100, 10
# E11: how often the signal is read, and how often we look; seconds.
PERIOD_S, LOOK_S = 1, 0.1


def e7(stage, opts):
    """Budgets that must hold exactly: two thousand at once, and a rate over a while."""
    with ExitStack() as stack:
        slow = stack.enter_context(stage.service("constant", workers=1000, mean_ms=3000))
        quick = stack.enter_context(stage.service("constant", workers=200, mean_ms=5))
        gateway = stack.enter_context(
            stage.front("sumun", {"SLOW": slow, "QUICK": quick}, policy="budget.yaml"))
        rows = []
        for title, path in (("tokens", "/tokens/x"), ("slots", "/batch/slots/x")):
            result = finish(stage.call("clients", {"port": gateway.port, "path": path, "give_up_s": 60,
                                                   "clients": CLIENTS, "obey": "no"}))
            row = {"what": f"{CLIENTS} at once, {BUDGET} {title}", "admitted": result["served"],
                   "refused": result["refused"], "failed": result["failed"], "doubts": []}
            row["met"] = row["admitted"] == BUDGET and row["refused"] == CLIENTS - BUDGET
            if title == "slots":
                row["peak"] = stats(slow)["batch_peak"]
                row["met"] = row["met"] and row["peak"] <= BUDGET
            rows.append(row)
        rows.append(sustained(stage, opts, gateway, quick))
    for row in rows:
        say(opts, f"E7 {row['what']}: {row['admitted']} admitted")
    return rows


def sustained(stage, opts, gateway, service):
    """Four times a rate: the error over the whole run, and the most in any second at the service."""
    seconds = 5 if opts.quick else 20
    already = len(json.loads(get(service.port, "/__arrivals")[1]))
    streams = {"rate": [(seconds, 4 * RATE_RPS)]}
    result = finish(stage.load(gateway.port, streams, (0, seconds)))
    arrivals = json.loads(get(service.port, "/__arrivals")[1])[already:]
    most, begin = 0, 0
    for end, at_us in enumerate(arrivals):
        while arrivals[begin] <= at_us - 1_000_000:
            begin += 1
        most = max(most, end - begin + 1)
    # From the first arrival to the last, the bucket gave its burst and the rate.
    allowed = RATE_BURST + RATE_RPS * (arrivals[-1] - arrivals[0]) / 1e6
    error = len(arrivals) / allowed - 1
    found = doubts(result, service)
    return {"what": f"{RATE_RPS} a second, burst {RATE_BURST}, {seconds} s at 4x",
            "admitted": len(arrivals), "error": error, "peak": most, "doubts": found,
            "met": abs(error) <= 0.005 and most <= RATE_RPS + RATE_BURST and not found}


def e9(stage, opts):
    """What a decision costs in the engine, and a refusal in the gateway's CPU time."""
    settings = {"policy": (POLICIES / "decide.yaml").read_text(), "admits": "admits",
                "refuses": "refuses", "shared": "shared", "decisions": 200_000 if opts.quick else 1_000_000,
                "threads": 2, "rounds": 3 if opts.quick else 7}
    done = subprocess.run([str(stage.tool), "decide", json.dumps(settings)], capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"decide failed: {done.stderr[-500:]}")
    ns = json.loads(done.stdout)
    rows = [{"what": "decision and slot, admitted", "value": ns["admit_ns"], "unit": "ns", "bar": 1000},
            {"what": "decision, refused", "value": ns["refuse_ns"], "unit": "ns", "bar": 1000},
            {"what": f"admitted, {ns['threads']} threads on one word", "value": ns["contended_ns"],
             "unit": "ns", "bar": None}]
    for row in rows:
        row["met"] = None if row["bar"] is None else row["value"] < row["bar"]
    forwarded_us, refused_us, found = costs(stage, 2 if opts.quick else 6)
    ratio = forwarded_us / refused_us
    rows += [{"what": "a forwarded call, service of 20 ms", "value": forwarded_us, "unit": "µs CPU",
              "met": None},
             {"what": "a refusal at 5x", "value": refused_us, "unit": "µs CPU", "met": None},
             {"what": "forwarded / refused", "value": ratio, "unit": "×", "bar": 5,
              "met": ratio >= 5 and not found}]
    for row in rows:
        row["doubts"] = found if row["unit"] != "ns" else []
        say(opts, f"E9 {row['what']}: {row['value']:.1f} {row['unit']}")
    return rows


def costs(stage, seconds):
    """CPU time of a forwarded call, from a load where all are, and of a refusal, from one at 5x."""
    found = []

    def spent(gateway, service, load):
        before = stats(service)["served"]
        cpu, idle_s = cpu_s(gateway), time.monotonic()
        result = finish(stage.load(gateway.port, mixed([(seconds, load)]), (0, seconds)))
        cpu, wall_s = cpu_s(gateway) - cpu, time.monotonic() - idle_s
        found.extend(doubts(result, service))
        refused = sum(stream["total"]["refused"] for stream in result["streams"].values())
        return cpu - idle * wall_s, stats(service)["served"] - before, refused

    with stage.service() as service, stage.front("sumun", {"SERVICE": service}) as gateway:
        idle = 0
        spent(gateway, service, 0.5)  # connections are made, code is warm
        cpu, begun = cpu_s(gateway), time.monotonic()
        time.sleep(1)
        idle = (cpu_s(gateway) - cpu) / (time.monotonic() - begun)
        cpu, forwarded, _ = spent(gateway, service, 0.5)
        forwarded_s = cpu / forwarded
        cpu, forwarded, refused = spent(gateway, service, 5)
        if not refused:
            raise BenchError("nothing was refused at five times the capacity")
        return forwarded_s * 1e6, (cpu - forwarded * forwarded_s) / refused * 1e6, found


def e10(stage, opts):
    """Clients that come back when they are told to; all gates at once."""
    clients = 500 if opts.quick else CLIENTS
    give_up_s = clients / RETURN_RPS * 5
    rate = {"rate": RETURN_RPS, "burst": RETURN_BURST}
    gates = (
        ("sumun, Retry-After", "sumun", {"policy": "return.yaml"}, "header", RETURN_BURST),
        ("sumun, retry_after_ms", "sumun", {"policy": "return.yaml"}, "body", RETURN_BURST),
        ("sumun, burst 10, retry_after_ms", "sumun", {"policy": "return-10.yaml"}, "body",
         RETURN_BURST_SMALL),
        ("sumun, burst 10, Retry-After", "sumun", {"policy": "return-10.yaml"}, "header",
         RETURN_BURST_SMALL),
        ("fixed-rps, always 1 s", "fixed-rps", {**rate, "retry_after_s": [1, 1]}, "header", RETURN_BURST),
        ("fixed-rps, 1 to 5 s at random", "fixed-rps", {**rate, "retry_after_s": [1, 5]}, "header",
         RETURN_BURST),
    )
    rows = []
    with ExitStack() as stack:
        running = []
        for title, gate, settings, obey, burst in gates:
            service = stack.enter_context(stage.service("constant", workers=200, mean_ms=5))
            gateway = stack.enter_context(stage.front(gate, {"SERVICE": service}, **settings))
            running.append((title, (clients - burst) / RETURN_RPS, stage.call("clients", {
                "port": gateway.port, "path": "/import/x", "clients": clients, "obey": obey,
                "give_up_s": give_up_s})))
        for title, ideal_s, callers in running:
            result = finish(callers)
            served = max(1, result["served"])
            row = {"gate": title, "served": result["served"], "gave_up": result["failed"],
                   "attempts": (result["served"] + result["refused"]) / served,
                   "drained": result["last_served_s"] / ideal_s, "drained_s": result["last_served_s"],
                   "ideal_s": ideal_s, "wait_max_s": result["wait_max_s"], "doubts": []}
            row["met"] = None if gate_of(title) != "sumun" else (
                row["attempts"] <= 2.2 and row["drained"] <= 1.2 and not row["gave_up"])
            say(opts, f"E10 {title}: {row['attempts']:.2f} attempts, {row['drained_s']:.1f} s, "
                      f"{row['gave_up']} gave up")
            rows.append(row)
    return rows


def gate_of(title):
    return title.partition(",")[0]


FAULTS = ("freeze", "error", "hang", "minus")


def e11(stage, opts):
    """The signal fails in four ways, each at a service of its own behind one gateway."""
    before_s, fault_s, after_s = (6, 15, 6) if opts.quick else (10, 300, 10)
    with ExitStack() as stack:
        services = {fault: stack.enter_context(stage.service(workers=10, mean_ms=40, seed=at))
                    for at, fault in enumerate(FAULTS)}
        words = {fault.upper(): service for fault, service in services.items()}
        gateway = stack.enter_context(stage.front("sumun", words, policy="blind.yaml"))
        whole_s = before_s + fault_s + after_s
        cues = [(at_s, service.port, f"/__set?signal={kind}") for fault, service in services.items()
                for at_s, kind in ((before_s, fault), (before_s + fault_s, "fine"))]
        streams = {fault: [(whole_s, 1.2 * 250)] for fault in FAULTS}
        callers = stage.load(gateway.port, streams, (1, before_s), cues)
        seen = watch(gateway, callers)
        result = finish(callers)
        found = doubts(result, *services.values())
    begun = result["begun_unix_s"] + before_s
    rows = []
    for fault in FAULTS:
        looks = [(at - begun, *looked[fault]) for at, looked in seen]
        row = {"fault": fault, "doubts": found, "looks": looks,
               **survived(fault, looks, result["streams"][fault]["bins"], (before_s, fault_s))}
        say(opts, f"E11 {fault}: {row['state']} after {row['noticed_s']} s, back after {row['back_s']} s, "
                  f"goodput {row['before']:.2f} {row['during']:.2f} {row['after']:.2f}")
        row["met"] = row["met"] and not found
        rows.append(row)
    return rows


def survived(fault, looks, bins, spans_s):
    """From a fault's looks (seconds since it began, limit, state) and the calls: what held."""
    before_s, fault_s = spans_s
    slack_s = 3 * LOOK_S
    during = [look for look in looks if 0 <= look[0] < fault_s]
    noticed = [at for at, _, state in during if state != "fresh"]
    back = [at - fault_s for at, _, state in looks if at >= fault_s and state == "fresh"]
    good = lambda from_s, to_s: sum(bin_[2] for bin_ in bins[int(from_s * 10):int(to_s * 10)]) \
        / (to_s - from_s) / 250
    whole_s = len(bins) / 10
    # The least served in any five seconds of the fault: a stuck gate shows here.
    least = min(good(at, at + 5) for at in range(before_s, before_s + fault_s - 4))
    row = {
        "state": during[-1][2] if during else "?",
        "noticed_s": round(noticed[0], 2) if noticed else None,
        "back_s": round(back[0], 2) if back else None,
        "limits": sorted({limit for _, limit, _ in during if limit is not None}),
        "before": good(2, before_s), "during": good(before_s, before_s + fault_s),
        "after": good(before_s + fault_s + 2, whole_s), "least": least,
    }
    # A frozen signal can't be told from a steady one: it stays fresh, and must not close the gate.
    told = fault == "freeze" or (noticed and noticed[0] <= 2 * PERIOD_S + PERIOD_S + slack_s)
    row["met"] = bool(told and back and back[0] <= 2 * PERIOD_S + slack_s
                      and least >= 0.5 * row["before"] and row["after"] >= 0.95 * row["before"])
    return row


def watch(gateway, callers):
    """Limit and state of the signal of each route, again and again while callers run."""
    seen = []
    while callers.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", gateway.admin_port, timeout=5)
        try:
            connection.request("GET", "/api/v1/routes",
                               headers={"authorization": f"Bearer {gateway.token}"})
            answer = connection.getresponse()
            if answer.status != 200:
                raise BenchError(f"the admin API answers {answer.status}")
            routes = json.loads(answer.read())["routes"]
        finally:
            connection.close()
        seen.append((time.time(), {
            route["name"]: (route["limit"], next((signal["state"] for signal in route["signals"]
                                                  if signal["signal"] == "workers"), "absent"))
            for route in routes}))
        time.sleep(LOOK_S)
    return seen
