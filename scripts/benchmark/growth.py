"""What many releases in one repository cost. The application is small."""

from __future__ import annotations

import functools
import os
import pathlib

from measure import Cost, Word, in_turns, run
from product import Project, Served

GOALS = [10, 100, 1000]
HEAD = ["releases", "add", "publish", "targets metadata", "check", "check, first"]


def measure(work: pathlib.Path) -> list[list[str]]:
    """A row for each number of releases."""
    folder, bundle = work / "project", work / "bundle"
    bundle.mkdir()
    for number in range(20):
        (bundle / f"file{number}").write_bytes(os.urandom(20_000))
    program = bundle / "program"
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o755)
    rows, count = [], 0
    with Served(folder / "repository") as url:
        project = Project(folder, url, patch_from=1)
        for goal in GOALS:
            while count < goal:
                (bundle / "file0").write_bytes(os.urandom(20_000))
                added = project.add(f"1.{count}", bundle)
                count += 1
            published = project.notsotuf("publish")
            size = max(path.stat().st_size for path in (folder / "repository/metadata").glob("*targets.json"))
            install = work / f"install-{goal}"
            project.ship(f"1.{count - 1}", install)
            line: list[Word] = [install / "program", "--updater", "check"]
            first = run(line)
            [check] = in_turns(20, functools.partial(run, line))
            bundler = [cell(added.cost), cell(published.cost)]
            rows.append([str(goal), *bundler, f"{size:,} B", cell(check), cell(first.cost)])
    return rows


def cell(cost: Cost) -> str:
    return f"{cost.wall * 1000:.1f} ms, {cost.megabytes:.0f} MB"
