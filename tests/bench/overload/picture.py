"""E1 as a picture: goodput against offered load, a line for each gate, named at its end.

SVG by hand: nothing is needed to draw it, and it reads on light and dark pages alike.
"""

import math

from machine import BenchError

WIDTH, HEIGHT = 860, 440
LEFT, RIGHT, TOP, BOTTOM = 64, 206, 62, 56
LABEL_GAP = 19

# Gate -> name on the picture, colour, width of its line.
LINES = {
    "sumun": ("Sumun, 85 %", "#0a5c4a", 3.2),
    "sumun-95": ("Sumun, 95 %", "#12a07f", 3.2),
    "beside": ("Sumun, other build", "#5b8f3a", 3.2),
    "gradient2": ("Gradient2 (Netflix)", "#7a4fb5", 1.8),
    "envoy": ("Envoy's gradient", "#b0479a", 1.8),
    "fixed-rps": ("fixed rate", "#2f6fb3", 1.8),
    "threshold": ("threshold on a scrape", "#c07a15", 1.8),
    "none": ("no control", "#7d7d7d", 1.8),
}


def goodput(rows, service="exponential"):
    """The SVG's text, from the rows of E1."""
    # A doubtful row measured the machine, and is left out.
    rows = [row for row in rows if row["service"] == service and not row["doubts"]]
    if not rows:
        raise BenchError("nothing to draw: every row of E1 is doubtful")
    loads = sorted({row["load"] for row in rows})
    low, high = math.log(loads[0]), math.log(loads[-1])

    def x(load):
        return LEFT + (math.log(load) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(value):
        return HEIGHT - BOTTOM - min(value, 1.05) / 1.05 * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
           f'font-family="system-ui, sans-serif" font-size="14">',
           "<title>Goodput against offered load</title>",
           f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#ffffff"/>',
           f'<text x="{LEFT - 40}" y="26" font-size="16" font-weight="600" fill="#1c1c1c">'
           "Answers within 200 ms, as a share of what the service can do</text>",
           f'<text x="{LEFT - 40}" y="46" fill="#5a5a5a">20 workers, {service} service of 20 ms on average; '
           "95 % batch, 5 % interactive calls</text>"]
    for value in (0, 0.25, 0.5, 0.75, 1):
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" '
                   'stroke="#e4e4e4"/>')
        out.append(f'<text x="{LEFT - 10}" y="{y(value) + 5:.1f}" text-anchor="end" fill="#5a5a5a">'
                   f"{value:.0%}</text>")
    for load in loads:
        out.append(f'<text x="{x(load):.1f}" y="{HEIGHT - BOTTOM + 22}" text-anchor="middle" '
                   f'fill="#5a5a5a">{load:g}×</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 12}" text-anchor="middle" '
               'fill="#5a5a5a">offered load, as a multiple of capacity</text>')
    ends = []
    for gate, (name, colour, width) in reversed(LINES.items()):
        points = sorted((row["load"], row["goodput"]) for row in rows if row["gate"] == gate)
        if not points:
            continue
        path = " ".join(f"{x(load):.1f},{y(value):.1f}" for load, value in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}" '
                   'stroke-linejoin="round"/>')
        out += [f'<circle cx="{x(load):.1f}" cy="{y(value):.1f}" r="{width:.1f}" fill="{colour}"/>'
                for load, value in points]
        ends.append((y(points[-1][1]), x(points[-1][0]), points[-1][1], name, colour, width))
    out += labels(ends)
    return "\n".join([*out, "</svg>"]) + "\n"


def labels(ends):
    """A name beside the end of each line; those too near to one another are moved apart."""
    ends.sort()
    places = [end[0] for end in ends]
    for at in range(1, len(places)):
        places[at] = max(places[at], places[at - 1] + LABEL_GAP)
    over = max(0, places[-1] - (HEIGHT - BOTTOM)) if places else 0
    for at in reversed(range(len(places))):
        limit = places[at + 1] - LABEL_GAP if at + 1 < len(places) else places[at] - over
        places[at] = min(places[at], limit)
    for place, (begin, end, value, name, colour, width) in zip(places, ends):
        weight = ' font-weight="600"' if width > 2 else ""
        edge = WIDTH - RIGHT
        yield (f'<path d="M{end + 5:.1f} {begin:.1f} L{edge + 15} {place:.1f}" stroke="{colour}" '
               'stroke-width="1" fill="none"/>')
        yield (f'<text x="{edge + 19}" y="{place + 5:.1f}" fill="{colour}"{weight}>{name} {value:.0%}</text>')
