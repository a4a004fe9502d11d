"""Rows into tables: one an experiment, with the bar and whether it is met."""

TITLES = {
    "E1": ("goodput against offered load: answers within 200 ms as a share of capacity",
           "0.90 of capacity from 1x on, at most 5 % under the 1x value; p99 of admitted 200 ms at most; "
           "interactive 99.9 % within 200 ms, none refused"),
    "E2": ("a step of the load from 0.8x: the 99th percentile of each 100 ms",
           "under 200 ms again within a bin and a service time (120 ms)"),
    "E4": ("batch twelve times as much beside people",
           "interactive 100 % within 200 ms, none refused; batch 95 % of what is left"),
    "E6": ("the service four times slower for a while",
           "95 % goodput again within 2 s of its recovery"),
    "E7": ("budgets", "exactly the budget; a sustained rate within 0.5 %, and in no second over rate and burst"),
    "E9": ("what a decision costs", "under 1 µs; a refusal 5 times cheaper than a forwarded call"),
    "E10": ("clients that come back when told to", "2.2 attempts a success, drained in 1.2 times the ideal"),
    "E11": ("the signal fails", "the documented state within 2 periods of the last reading, fresh again within 2; never "
            "stuck (no five seconds under half of the goodput before), and as before afterwards"),
}


def share(value):
    return f"{value:.3f}"


def percent(value):
    return f"{value * 100:.2f} %"


def millis(value):
    return "-" if value is None or value < 0 else f"{value:.0f} ms"


def seconds(value):
    return "never" if value is None else f"{value:.1f} s"


def number(value):
    return "-" if value is None else f"{value:g}"


def times(value):
    return f"{value:.2f} ×"


# Experiment -> columns: key, head, how it is shown.
COLUMNS = {
    "E1": (("service", "service", str), ("load", "offered", lambda load: f"{load:g}x"), ("gate", "gate", str),
           ("goodput", "goodput", share), ("p99_ms", "p99 of admitted", millis),
           ("interactive", "interactive", percent), ("interactive_refused", "refused", str),
           ("batch_peak", "batch at once, most", str)),
    "E2": (("load", "step to", lambda load: f"{load:g}x"), ("gate", "gate", str),
           ("back_ms", "back under", lambda ms: "never" if ms is None else millis(ms)),
           ("p99_ms", "worst p99", millis)),
    "E4": (("gate", "gate", str), ("burst_s", "for", seconds), ("interactive", "interactive", percent),
           ("interactive_refused", "refused", str), ("interactive_p99_ms", "its p99", millis),
           ("batch_of_left", "batch, of what is left", share)),
    "E6": (("gate", "gate", str), ("before", "good before", percent),
           ("slow", "goodput while slow", share), ("back_s", "back after", seconds),
           ("interactive", "interactive", percent)),
    "E7": (("what", "what", str), ("admitted", "admitted", str), ("refused", "refused", number),
           ("error", "error", lambda error: "-" if error is None else percent(error)),
           ("peak", "most at once, or in a second", number)),
    "E9": (("what", "what", str), ("value", "figure", lambda value: f"{value:.1f}"), ("unit", "unit", str)),
    "E10": (("gate", "gate and clients", str), ("served", "served", str), ("gave_up", "gave up", str),
            ("attempts", "attempts each", times), ("drained_s", "drained after", seconds),
            ("drained", "of ideal", times), ("wait_max_s", "longest wait told", seconds)),
    "E11": (("fault", "signal", str), ("state", "state at the end", str), ("noticed_s", "noticed after", seconds),
            ("back_s", "fresh again after", seconds), ("limits", "limits seen", lambda found: spread(found)),
            ("before", "goodput before", share), ("during", "during", share), ("least", "least of 5 s", share),
            ("after", "after", share)),
}


def spread(found):
    return "none" if not found else f"{found[0]:g}" if len(found) == 1 else f"{found[0]:g} to {found[-1]:g}"


def lines(name, rows):
    """An experiment's table, as Markdown."""
    title, bar = TITLES[name]
    columns = COLUMNS[name]
    cells = [[head for _, head, _ in columns] + ["verdict"]]
    cells += [[show(row.get(key)) for key, _, show in columns] + [verdict(row)] for row in rows]
    widths = [max(len(line[at]) for line in cells) for at in range(len(cells[0]))]
    text = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in cells]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return ["", f"## {name}: {title}", "", f"Bar: {bar}.", "", *text]


def verdict(row):
    met = {None: "", True: "met", False: "NOT MET"}[row["met"]]
    return f"{met} ({'; '.join(sorted(set(row['doubts'])))})".strip() if row["doubts"] else met


def indented(text):
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())
