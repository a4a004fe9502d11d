"""Rounds into the one table: figure, ratio, bar, met or not met."""

import statistics

from scenarios import PEERS

HEAD = ["scenario", "unit", "Sumun", "nginx", "haproxy", "Envoy", "compared", "bar", "verdict"]


def lines(rows, measured):
    """The table, as Markdown, of all rows that were measured; and the verdicts."""
    told = [tell(row, measured[row.scenario]) for row in rows if measured.get(row.scenario)]
    cells = [HEAD, *(line for line, _ in told)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(HEAD))]
    text = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |"
            for line in cells]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return text, [verdict for _, verdict in told]


def tell(row, rounds):
    """One line of the table, and whether its bar is met (None: nothing to judge)."""
    ours = figures(row, row.subject, rounds)
    others = {peer: figures(row, peer, rounds) for peer in PEERS}
    compared, met = judge(row, rounds)
    faults = {fault for round_ in rounds for name in (row.subject, row.against)
              for fault in round_.get(name, {}).get("faults", ())}
    if faults:
        compared, met = compared or "-", False
    verdict = "-" if met is None else "met" if met else "NOT MET"
    if faults:
        verdict += f" ({'; '.join(sorted(faults))})"
    bar = {"ratio": f"≤ {row.bar:g} ×", "difference": f"≤ +{row.bar:g}",
           "value": f"≤ {row.bar:g}"}[row.by]
    line = [row.title, row.unit, shown(ours), *(shown(others[peer]) for peer in PEERS),
            compared or "-", bar, verdict]
    return line, met


def figures(row, name, rounds):
    """The figure of one gateway in each round that has it."""
    return [round_[name][row.figure] for round_ in rounds
            if row.figure in round_.get(name, {})]


def judge(row, rounds):
    """Compares within each round, so that what else ran on the machine hit both alike."""
    if row.by == "value":
        ours = figures(row, row.subject, rounds)
        nginx = figures(row, "nginx", rounds)
        if not ours:
            return None, None
        beside = f"{statistics.median(ours) / statistics.median(nginx):.2f} × nginx" \
            if nginx and statistics.median(nginx) > 0 else None
        return beside, statistics.median(ours) <= row.bar
    pairs = [(round_[row.subject][row.figure], round_[row.against][row.figure])
             for round_ in rounds
             if row.figure in round_.get(row.subject, {}) and row.figure in round_.get(row.against, {})]
    if not pairs:
        return None, None
    if row.by == "difference":
        found = [ours - other for ours, other in pairs]
        sign, unit = "+", " µs"
    else:
        found = [ours / other for ours, other in pairs]
        sign, unit = "", f" × {row.against}"
    middle = statistics.median(found)
    text = f"{middle:{sign}.2f}{unit} ({min(found):{sign}.2f} to {max(found):{sign}.2f})"
    return text, middle <= row.bar


def shown(values):
    if not values:
        return "-"
    middle = statistics.median(values)
    return f"{middle:.0f}" if middle >= 1000 else f"{middle:.1f}"


def notes(measured):
    """What the table does not say and a reader must know."""
    found = []
    for round_ in measured.get("trace", ()):
        row = round_.get("sumun-trace100")
        if row:
            found.append((row.get("spans_dropped_percent"), row["span_bytes_each"], row["rps"]))
    if found:
        dropped = [share for share, _, _ in found if share is not None]
        text = f"tracing 100 %: {statistics.median(f[2] for f in found):.0f} calls a second, " \
               f"{statistics.median(f[1] for f in found):.0f} bytes of spans for each"
        if dropped:
            text += f", {statistics.median(dropped):.0f} spans lost per 100 calls"
        yield text
    for name in ("idle", "stuck"):
        for round_ in measured.get(name, ()):
            alive = {gateway: row["alive"] for gateway, row in round_.items()}
            yield f"{name}: connections still open at the end: {alive}"
