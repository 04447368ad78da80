"""Other programs that make patches. Each gets the two bundles as plain tars."""

from __future__ import annotations

import filecmp
import pathlib
from dataclasses import dataclass
from typing import Protocol

from bundles import HDIFFPATCH, environment
from measure import Cost, Limits, Stopped, Word, run
from places import BIPATCH

Line = list[Word]


class Patcher(Protocol):
    """The lines that make and apply a patch."""

    heading: str

    def make(self, old: pathlib.Path, new: pathlib.Path, patch: pathlib.Path) -> Line: ...

    def apply(self, old: pathlib.Path, patch: pathlib.Path, new: pathlib.Path) -> Line: ...


class HDiffPatch:
    """HDiffPatch, as PyPI has it, with its strongest compression; it has all in memory."""

    heading = "HDiffPatch, LZMA2"
    READ = "import hdiffpatch, pathlib, sys; a, b, c = map(pathlib.Path, sys.argv[1:]); "
    MAKE = "hdiffpatch.diff(a.read_bytes(), b.read_bytes(), compression=hdiffpatch.COMPRESSION_LZMA2)"
    APPLY = "hdiffpatch.apply(a.read_bytes(), b.read_bytes())"

    def make(self, old, new, patch):
        return [environment(HDIFFPATCH), "-c", f"{self.READ}c.write_bytes({self.MAKE})", old, new, patch]

    def apply(self, old, patch, new):
        return [environment(HDIFFPATCH), "-c", f"{self.READ}c.write_bytes({self.APPLY})", old, patch, new]


@dataclass
class Zstd:
    """zstd, with the old tar as a dictionary, by the options that Velopack calls it with
    (src/vpk/Velopack.Packaging/Zstd.cs; "best speed" is its default)."""

    heading: str
    best_size: bool

    def make(self, old, new, patch):
        best = ["-19", "--zstd=targetLength=4096", "--zstd=chainLog=30"] if self.best_size else []
        return ["zstd", "--patch-from", old, "-o", patch, "--force", "--single-thread", new, *_window(old), *best]

    def apply(self, old, patch, new):
        return ["zstd", "--decompress", "--patch-from", old, "-o", new, "--force", patch, *_window(old)]


def _window(old: pathlib.Path) -> list[str]:
    """zstd's own bound is lower, unless it is told. Velopack makes no patch of more than 1 GiB."""
    window = old.stat().st_size.bit_length()
    if window > 30:
        raise Stopped("none from 1 GiB on")
    return [f"--long={window}"] if window >= 27 else []


class Bipatch:
    """The crates bidiff and bipatch, with xz around the patch, since they do not compress."""

    heading = "bidiff and bipatch, xz"

    def make(self, old, new, patch):
        return [BIPATCH, "diff", old, new, patch]

    def apply(self, old, patch, new):
        return [BIPATCH, "apply", old, patch, new]


PATCHERS: dict[str, Patcher] = {
    "hdiffpatch": HDiffPatch(),
    "zstd-best": Zstd("zstd, Velopack's best size", best_size=True),
    "zstd-fast": Zstd("zstd, Velopack's best speed", best_size=False),
    "bipatch": Bipatch(),
}


@dataclass
class Patched:
    """The bytes of a patch, and what it took to make and to apply it."""

    patch: int
    made: Cost
    applied: Cost


def measure(patcher: Patcher, tars: list[pathlib.Path], work: pathlib.Path, limits: Limits) -> Patched:
    """Makes and applies a patch once, and compares what comes out."""
    old, new = tars
    patch, rebuilt = work / "patch", work / "rebuilt.tar"
    try:
        made = run(patcher.make(old, new, patch), limits=limits).cost
        applied = run(patcher.apply(old, patch, rebuilt), limits=limits).cost
        if not filecmp.cmp(rebuilt, new, shallow=False):
            raise Stopped("wrong result")
        return Patched(patch.stat().st_size, made, applied)
    finally:
        patch.unlink(missing_ok=True)
        rebuilt.unlink(missing_ok=True)


def tars(old: pathlib.Path, new: pathlib.Path, work: pathlib.Path) -> list[pathlib.Path]:
    """Two bundles as tars that have the same bytes each time."""
    made = []
    for name, bundle in [("old", old), ("new", new)]:
        made.append(work / f"{name}.tar")
        same = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0"]
        run(["tar", "cf", made[-1], *same, "-C", bundle, "."])
    return made
