"""What users wait for: updates, and starts of the application."""

from __future__ import annotations

import pathlib
import re
from dataclasses import dataclass

from measure import Cost, Run, in_turns, run
from places import BIN
from product import Installs, Project


@dataclass
class Updates:
    """What updates took, and what no update can do without."""

    # Which way the client went.
    way: str
    by_patch: Cost
    full: Cost
    copied: Cost
    hashed: Cost
    unpacked: Cost


def updates(installs: Installs, project: Project, version: str, runs: int) -> Updates:
    """Updates from what is shipped to this version."""
    way = installs.way()
    archive = project.archive(version)
    by_patch, copied, hashed = in_turns(runs, installs.update, installs.copy, installs.hash)
    full, unpacked = in_turns(runs, installs.full_update, lambda: installs.unpack(archive))
    return Updates(way, by_patch, full, copied, hashed, unpacked)


@dataclass
class Starts:
    """What starts of the application take, directly and by the stub."""

    stub_bytes: int
    direct: Cost
    by_stub: Cost
    # The stub says its version: a process, and nothing else.
    stub_alone: Cost
    check: Cost
    check_megabytes: float
    offline_direct: Cost
    offline: Cost


def starts(install: pathlib.Path, runs: int) -> Starts:
    """Starts the application of an install, which is up to date after the first time."""
    program, direct = install / "program", install / "app" / "program"
    run([program])

    def bare(*line) -> Run:
        return run(line, bare=True)

    base, by_stub, alone = in_turns(
        runs, lambda: bare(direct), lambda: bare(program), lambda: bare(program, "--updater", "version")
    )
    [check] = in_turns(runs, lambda: bare(program, "--updater", "check"))
    [memory] = in_turns(5, lambda: run([program, "--updater", "check"]))
    settings = install / "notsotuf.toml"
    settings.write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:9", settings.read_text()))
    offline_base, offline = in_turns(runs, lambda: bare(direct), lambda: bare(program))
    size = (BIN / "notsotuf-stub").stat().st_size
    return Starts(size, base, by_stub, alone, check, memory.megabytes, offline_base, offline)
