"""The experiments with a service under too much load: E1, E2, E4, E6. Each gives rows for the table.

Every row is a dict; `met` is True, False, or None where there is no bar (baselines).
"""

from contextlib import ExitStack

from machine import BenchError
from stage import BASELINES, CAPACITY_RPS, MEAN_MS, SLO_MS, doubts, finish, stats

# Share of the calls that people wait for, where an experiment does not say otherwise.
INTERACTIVE_SHARE = 0.05
# Columns of a bin, as the callers print them.
SENT, OK, GOOD, REFUSED, FAILED, P99_MS = range(6)


def say(opts, text):
    opts.say(f"  {text}")


def mixed(phases, interactive_share=INTERACTIVE_SHARE):
    """Streams of batch and interactive calls; phases are (seconds, load as a multiple of capacity)."""
    share = {"batch": 1 - interactive_share, "interactive": interactive_share}
    return {name: [(seconds, load * CAPACITY_RPS * part) for seconds, load in phases]
            for name, part in share.items()}


def once(stage, gate, service, streams, window_s, **settings):
    """One gate before one fresh service; gives the figures, the service's own, and doubts."""
    with stage.service(service, seed=settings.get("seed", 1)) as upstream:
        with stage.front(gate, {"SERVICE": upstream}) as gateway:
            cues = [(at_s, upstream.port, path) for at_s, path in settings.pop("cues", ())]
            result = finish(stage.load(gateway.port, streams, window_s, cues, **settings))
            return result, stats(upstream), doubts(result, upstream)


def point(stage, gate, service, load, seconds, warm_s, seed=1):
    """Goodput and the rest at one offered load."""
    window_s = (warm_s, warm_s + seconds)
    result, counted, found = once(stage, gate, service, mixed([(sum((warm_s, seconds)), load)]),
                                  window_s, seed=seed)
    batch, people = (result["streams"][name]["total"] for name in ("batch", "interactive"))
    return {
        "gate": gate, "service": service, "load": load,
        "goodput": (batch["good"] + people["good"]) / seconds / CAPACITY_RPS,
        "p99_ms": batch["p99_ms"],
        "interactive": people["good"] / max(1, people["sent"]),
        "interactive_refused": people["refused"],
        "batch_peak": counted["batch_peak"],
        "doubts": found,
    }


def e1(stage, opts):
    """Goodput against offered load."""
    services = ("exponential",) if opts.quick else ("exponential", "constant", "bimodal")
    loads = (0.8, 1, 1.5, 4, 10) if opts.quick else (0.5, 0.8, 1, 1.5, 2, 4, 10)
    seconds, warm_s = (1.5, 1) if opts.quick else (2.5, 1.5)
    rows = []
    for service in services:
        for load in loads:
            for gate in (*stage.sumuns, *BASELINES):
                row = point(stage, gate, service, load, seconds, warm_s)
                if row["doubts"]:  # once more; what else ran on the machine may be gone
                    row = point(stage, gate, service, load, seconds, warm_s, seed=2)
                say(opts, f"E1 {service} {load}x {gate}: goodput {row['goodput']:.3f}, p99 "
                          f"{row['p99_ms']:.0f} ms, interactive {row['interactive']:.4f} "
                          f"{'; '.join(row['doubts'])}")
                rows.append(row)
    for row in rows:
        row["met"] = None if row["gate"] in BASELINES else judged(row, rows)
    return rows


def judged(row, rows):
    """The bar: 0.90 of capacity from 1x on and no more than 5 % under the 1x value; p99; people."""
    at_one = next(other["goodput"] for other in rows if other["load"] == 1
                  and (other["gate"], other["service"]) == (row["gate"], row["service"]))
    goodput = row["load"] < 1 or (row["goodput"] >= 0.90 and row["goodput"] >= 0.95 * at_one)
    return (goodput and row["p99_ms"] <= SLO_MS and row["interactive"] >= 0.999
            and not row["interactive_refused"] and not row["doubts"])


def e2(stage, opts):
    """A step of the load: how long until the 99th percentile is under the objective again.

    A service of constant time: of a hundred exponential ones the slowest alone reaches the objective
    now and then, at any load.
    """
    before_s, after_s = (1, 2) if opts.quick else (2, 3)
    rows = []
    for load in (5,) if opts.quick else (1.4, 5):
        for gate in (*stage.builds, *BASELINES):
            runs, found = [], []
            for seed in (1,) if opts.quick else (1, 2):
                streams = mixed([(before_s, 0.8), (after_s, load)])
                result, _, late = once(stage, gate, "constant", streams, (0, before_s + after_s),
                                       seed=seed)
                runs.append(result["streams"]["batch"]["bins"])
                found += late
            back_ms = [back_under(bins, before_s * 10) for bins in runs]
            worst = max(bin_[P99_MS] for bins in runs for bin_ in bins[before_s * 10:])
            back = None if None in back_ms else max(back_ms)
            row = {"gate": gate, "load": load, "back_ms": back, "p99_ms": worst, "doubts": found,
                   # A bin, or a service time and a bin: the step may lie anywhere in its bin.
                   "met": None if gate in BASELINES else
                          back is not None and back <= MEAN_MS + 100 and not found}
            say(opts, f"E2 to {load}x {gate}: back after {back} ms, worst p99 {worst:.0f} ms")
            rows.append(row)
    return rows


def back_under(bins, step):
    """ms from the step to the end of the last bin over the objective; None: never."""
    over = [at for at, bin_ in enumerate(bins) if at >= step and bin_[P99_MS] > SLO_MS]
    if not over:
        return 0
    return None if over[-1] == len(bins) - 1 else (over[-1] + 1 - step) * 100


def e4(stage, opts):
    """Batch becomes twelve times as much beside people who go on as before."""
    people, batch = 0.3, 0.5
    before_s = 2
    rows = []
    for gate in (*stage.builds, *BASELINES):
        burst_s = 4 if opts.quick else 60 if gate in stage.builds else 10
        rates = {"batch": [(before_s, batch), (burst_s, batch * 12)],
                 "interactive": [(before_s + burst_s, people)]}
        streams = {name: [(seconds, load * CAPACITY_RPS) for seconds, load in phases]
                   for name, phases in rates.items()}
        # What is in flight when the burst begins is not yet the burst's.
        window_s = (before_s + 0.5, before_s + burst_s)
        result, _, found = once(stage, gate, "exponential", streams, window_s)
        of_batch, of_people = (result["streams"][name]["total"] for name in ("batch", "interactive"))
        left = (burst_s - 0.5) * CAPACITY_RPS - of_people["ok"]
        row = {"gate": gate, "burst_s": burst_s,
               "interactive": of_people["good"] / of_people["sent"],
               "interactive_refused": of_people["refused"],
               "interactive_p99_ms": of_people["p99_ms"],
               "batch_of_left": of_batch["good"] / left, "doubts": found}
        row["met"] = None if gate in BASELINES else (
            row["interactive"] >= 0.9999 and not row["interactive_refused"]
            and row["batch_of_left"] >= 0.95 and not found)
        say(opts, f"E4 {gate}: interactive {row['interactive']:.4f}, batch {row['batch_of_left']:.3f} "
                  f"of what is left")
        rows.append(row)
    return rows


def e6(stage, opts):
    """The service gets four times slower for a while. All gates at once: there is little load."""
    before_s, slow_s, after_s = (3, 4, 5) if opts.quick else (5, 20, 10)
    gates = (*stage.builds, *BASELINES)
    streams = mixed([(before_s + slow_s + after_s, 0.9)])
    cues = [(before_s, "/__set?slow=4"), (before_s + slow_s, "/__set?slow=1")]
    runs = {}
    with ExitStack() as stack:
        for gate in gates:
            upstream = stack.enter_context(stage.service())
            gateway = stack.enter_context(stage.front(gate, {"SERVICE": upstream}))
            told = [(at_s, upstream.port, path) for at_s, path in cues]
            runs[gate] = (stage.load(gateway.port, streams, (1, before_s), told), upstream)
        done = {gate: (finish(callers), upstream) for gate, (callers, upstream) in runs.items()}
        found = {gate: doubts(result, upstream) for gate, (result, upstream) in done.items()}
    return [recovered(opts, gate, done[gate][0], (before_s, slow_s, after_s), found[gate])
            for gate in gates]


def recovered(opts, gate, result, spans_s, found):
    """One gate's row: the time from recovery to the first second with 95 % of the goodput before."""
    before_s, slow_s, after_s = spans_s
    streams = result["streams"].values()
    both = [[sum(stream["bins"][at][column] for stream in streams) for column in (SENT, GOOD)]
            for at in range((before_s + slow_s + after_s) * 10)]
    if not both:
        raise BenchError("E6 counted nothing")
    people = result["streams"]["interactive"]["bins"]
    end = (before_s + slow_s) * 10
    share = lambda bins: sum(good for _, good in bins) / max(1, sum(sent for sent, _ in bins))
    before = share(both[10:before_s * 10])
    # A second at a time: over 100 ms the calls are too few to tell 95 %.
    seconds = [at for at in range(end, len(both) - 10) if share(both[at:at + 10]) >= 0.95 * before]
    back_s = (seconds[0] - end) / 10 if seconds else None
    well = people[10:before_s * 10] + people[end + 20:]
    row = {"gate": gate, "before": before, "slow": share(both[before_s * 10:end]) * 0.9 * 4,
           "back_s": back_s, "doubts": found,
           "interactive": sum(bin_[GOOD] for bin_ in well) / sum(bin_[SENT] for bin_ in well),
           "met": None if gate in BASELINES else back_s is not None and back_s <= 2 and not found}
    say(opts, f"E6 {gate}: before {row['before']:.3f}, back after {back_s} s")
    return row
