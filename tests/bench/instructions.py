"""Instructions per call of each stage of the path, counted by valgrind, beside a committed baseline.

A count hardly depends on the machine or on what else runs there, so a regression shows anywhere.
Not at all free of them: another compiler, or a processor without AVX2, gives other numbers.
"""

import json
import os
import re
import subprocess
import sys

import tools
from machine import BenchError

# Always this one: counts of another profile are not comparable.
PROFILE = "bench-quick"
BASELINE = tools.HERE / "instructions.json"
# Two runs of a stage; the setup is the same in both.
FEW, MANY = 500, 2500
# Growth over the baseline that is a regression, not noise (hash seeds, an allocator's refills).
GROWTH_MAX = 0.05
GROWTH_MIN_COUNT = 20


def build():
    """The binary that runs the stages."""
    return tools.bench_binary("instructions", PROFILE)


def counted(binary, stage, count):
    """Instructions of one whole run."""
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}",
               binary, stage, str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    found = re.search(r"Collected : (\d+)", done.stdout)
    if done.returncode or not found:
        raise BenchError(f"counting `{stage}` failed:\n{done.stdout[-2000:]}")
    return int(found[1])


def measured(binary):
    listed = subprocess.run([binary, "--list"], check=True, stdout=subprocess.PIPE, text=True)
    counts = {}
    for stage in listed.stdout.splitlines():
        difference = counted(binary, stage, MANY) - counted(binary, stage, FEW)
        counts[stage] = round(difference / (MANY - FEW))
        print(f"  {stage}: {counts[stage]}", file=sys.stderr, flush=True)
    return counts


def report(update):
    """Prints the table; True where nothing grew, None where nothing could be counted."""
    if not tools.install("valgrind"):
        return None
    counts = measured(build())
    baseline = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    width = max(map(len, counts))
    print(f"\n| {'instructions per call'.ljust(width)} | now    | baseline | change  |")
    print(f"|{'-' * (width + 2)}|--------|----------|---------|")
    fine = True
    for stage, now in counts.items():
        before = baseline.get(stage)
        change = f"{(now - before) / before:+.1%}" if before else "new"
        grown = before and now > before * (1 + GROWTH_MAX) and now - before > GROWTH_MIN_COUNT
        fine = fine and not grown
        mark = " REGRESSION" if grown else ""
        print(f"| {stage.ljust(width)} | {now:6} | {before or '-':>8} | {change:>7} |{mark}")
    if update:
        BASELINE.write_text(json.dumps(counts, indent=2) + "\n")
    return fine
