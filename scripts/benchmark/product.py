"""notsotuf itself: a project, its releases, and what its client takes to update."""

from __future__ import annotations

import itertools
import os
import pathlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from measure import Cost, Run, Word, in_turns, run
from places import NOTSOTUF


class Served:
    """A folder, served on localhost by our own server; gives its URL."""

    def __init__(self, folder: pathlib.Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.command: list[Word] = [NOTSOTUF, "serve", "--quiet", "--port", "0", "--dir", folder]

    def __enter__(self) -> str:
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout, "it is a pipe"
        return self.process.stdout.readline().split()[-1]

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()


def versions(count: int) -> list[str]:
    return [f"1.{number}" for number in range(count)]


@dataclass
class Added:
    """What `add` made of the last of several releases."""

    # Leads from the first release to the last.
    patch: int
    # The patches from each release to the next.
    chain: list[int]
    archive: int
    cost: Cost
    # Of the first release, of which there is only an archive.
    without_patch: Cost


class Project:
    """A project of the bundler, whose repository is served at the URL."""

    def __init__(self, folder: pathlib.Path, url: str, patch_from: int):
        self.folder = folder
        self.url = url
        self.notsotuf("init", "--app", "app", "--plain", "--url", url)
        settings = folder / "notsotuf-project.toml"
        # On top, so that it is in no section.
        settings.write_text(f"patch_from = {patch_from}\n{settings.read_text()}")

    def notsotuf(self, *words) -> Run:
        return run([NOTSOTUF, "--quiet", "-C", self.folder, *words])

    def add(self, version: str, bundle: pathlib.Path) -> Run:
        # By force, since libgnutls tests itself with private keys, which looks like a leak.
        return self.notsotuf("add", version, bundle, "--force")

    def add_all(self, bundles: list[pathlib.Path], runs: int) -> Added:
        """Adds and publishes these releases; the last one several times."""
        names = versions(len(bundles))
        costs, chain = [], []
        for version, bundle in zip(names[:-1], bundles):
            costs.append(self.add(version, bundle).cost)
            self.notsotuf("publish")
            chain += [path.stat().st_size for path in self._targets(f"*app-{version}.patch")]
        pending = self.folder / ".notsotuf-pending"

        def again() -> Run:
            shutil.rmtree(pending, ignore_errors=True)
            return self.add(names[-1], bundles[-1])

        [cost] = in_turns(runs, again)
        files = pending / "files"
        chain.append((files / f"app-{names[-1]}.patch").stat().st_size)
        direct = [path.stat().st_size for path in files.glob(f"*.from-{names[0]}.delta")]
        archive = (files / f"app-{names[-1]}.tar.gz").stat().st_size
        self.notsotuf("publish")
        # A direct patch that is not worth it is left out.
        patch = direct[0] if direct else sum(chain)
        return Added(patch, chain, archive, cost, without_patch=costs[0])

    def ship(self, version: str, to: pathlib.Path) -> None:
        self.notsotuf("ship", "--version", version, "--output", to)

    def archive(self, version: str) -> str:
        """Where the archive of a release is downloaded from."""
        [path] = self._targets(f"*app-{version}.tar.gz")
        return f"{self.url}/targets/{path.name}"

    def _targets(self, pattern: str) -> list[pathlib.Path]:
        return list((self.folder / "repository" / "targets").glob(pattern))


class Installs:
    """Fresh installs of one release, and other fresh folders. None of them is removed while
    measuring: ext4 searches long for an inode after many were freed in the last minutes."""

    def __init__(self, work: pathlib.Path, project: Project, version: str):
        self.work = work
        self.shipped = work / "shipped"
        self.numbers: Iterator[int] = itertools.count()
        project.ship(version, self.shipped)

    def folder(self) -> pathlib.Path:
        """A folder that does not exist yet. What was written before is on the disk by then."""
        os.sync()
        return self.work / f"fresh-{next(self.numbers)}"

    def fresh(self) -> pathlib.Path:
        install = self.folder()
        shutil.copytree(self.shipped, install, symlinks=True)
        os.sync()
        return install

    def update(self) -> Run:
        """Updates by a patch."""
        return run([self.fresh() / "program", "--updater", "update"])

    def full_update(self) -> Run:
        """Updates by the archive: what is installed is not known."""
        install = self.fresh()
        (install / "app" / ".notsotuf-release").unlink()
        return run([install / "program", "--updater", "update"])

    def way(self) -> str:
        """Updates, and tells what the client took."""
        install = self.fresh()
        variables = dict(os.environ, NOTSOTUF_LOG="debug")
        run([install / "program", "--updater", "update"], environment=variables)
        log = (install / ".notsotuf" / "log").read_text()
        found = re.search(r"going by patches \((\d+), (\d+) bytes in all\)", log)
        if found is None:
            return "the archive"
        count, size = map(int, found.groups())
        return f"{count} patch{'es' if count > 1 else ''}, {size:,} B"

    def copy(self) -> Run:
        """The floor of an update: copies the bundle."""
        return run(["cp", "-r", self.shipped / "app", self.folder()])

    def hash(self) -> Run:
        """The floor of an update: hashes every file of the bundle."""
        return run(["sh", "-c", f"find {self.shipped}/app -type f -print0 | xargs -0 openssl dgst -sha256"])

    def unpack(self, archive: str) -> Run:
        """The floor of a full update: downloads and unpacks the archive, and verifies nothing."""
        out = self.folder()
        out.mkdir()
        return run(["sh", "-c", f"curl -s {archive} | tar xz -C {out}"])
