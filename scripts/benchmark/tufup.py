"""tufup, which like notsotuf makes archives and patches, publishes them, and updates."""

from __future__ import annotations

import itertools
import os
import pathlib
from dataclasses import dataclass

from measure import Cost, Limits, Run, Word, run
from places import INTEROP, PYTHON
from product import Served, versions

HEADING = "tufup 0.10"


@dataclass
class Tufup:
    """The bytes of its patches together, and what it took."""

    patch: int
    made: Cost
    applied: Cost
    full: Cost


def measure(bundles: list[pathlib.Path], work: pathlib.Path, limits: Limits) -> Tufup:
    """Adds the releases; then a client of the first one updates to the last, by patches and in full."""
    work.mkdir()
    names = versions(len(bundles))
    for version, bundle in zip(names, bundles):
        added = run([PYTHON, INTEROP, "release", "app", version, bundle], cwd=work, limits=limits)
    targets = work / "repository" / "targets"
    patch = sum((targets / f"app-{version}.patch").stat().st_size for version in names[1:])
    numbers = itertools.count()
    with Served(work / "repository") as url:
        root = work / "repository" / "metadata" / "1.root.json"

        def client(*archive: pathlib.Path) -> Run:
            os.sync()
            folder = work / f"client-{next(numbers)}"
            line: list[Word] = [PYTHON, INTEROP, "client", url, root, folder, "app", names[0], *archive]
            return run(line, limits=limits)

        applied = client(targets / f"app-{names[0]}.tar.gz")
        full = client()
    return Tufup(patch, added.cost, applied.cost, full.cost)
