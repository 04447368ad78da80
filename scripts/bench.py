"""See scripts/bench. Every figure is the median of several runs, and what is
compared runs in turns, so that a noisy machine disturbs both sides alike."""

import argparse
import itertools
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ["TARGET"]) / "release"
BENCH = ROOT / ".work" / "bench"
BUNDLES = BENCH / "bundles"
PYTHON = ROOT / ".venv" / "bin" / "python"
PEERS = ROOT / "tests" / "python" / "interop.py"


# What scripts/make-bench-bundles makes.
PAIRS = {
    "small-code": ("small-old", "small-code"),
    "mid-code": ("mid-old", "mid-code"),
    "mid-dep": ("mid-old", "mid-dep"),
    "big-dep": ("big-old", "big-dep"),
}


class Run:
    """One command to its end: seconds, and peak memory of it and its children,
    which GNU time tells: what wait4 tells a Python program is not less than
    Python itself takes. It adds a millisecond, so `bare` leaves it out."""

    def __init__(self, command, cwd=None, bare=False):
        command = [str(word) for word in command]
        with tempfile.NamedTemporaryFile() as memory:
            timed = ["/usr/bin/time", "--format", "%M", "--quiet", "--output", memory.name]
            start = time.perf_counter()
            done = subprocess.run(
                command if bare else timed + command,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            self.seconds = time.perf_counter() - start
            self.output = done.stdout.decode()
            if done.returncode != 0:
                sys.exit(f"{command} failed:\n{self.output}")
            self.megabytes = 0 if bare else int(memory.read()) / 1024


def alternate(runs, *variants):
    """Runs the variants in turns; for each the median time and peak memory."""
    results = [[] for _ in variants]
    for _ in range(runs):
        for result, variant in zip(results, variants):
            result.append(variant())
    return [
        (
            statistics.median(run.seconds for run in result),
            statistics.median(run.megabytes for run in result),
        )
        for result in results
    ]


def notsotuf(project, *words):
    return Run([BIN / "notsotuf", "--quiet", "-C", project, *words])


def add(project, version, bundle):
    """Adds a release although a library of it holds a private key: libgnutls tests itself with some."""
    return notsotuf(project, "add", version, bundle, "--force")


def seconds(value):
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.1f} s"


def cell(result):
    return f"{seconds(result[0])}, {result[1]:.0f} MB"


class Table:
    def __init__(self):
        print("| what | notsotuf | tufup 0.10 | ratio | floor |")
        print("|---|---|---|---|---|")

    def row(self, what, ours, theirs=None, floor=""):
        ratio = theirs[0] / ours[0] if theirs else 0
        ratio = f"{ratio:.{0 if ratio >= 10 else 1}f}×" if theirs else ""
        theirs = cell(theirs) if theirs else ""
        print(f"| {what} | {cell(ours)} | {theirs} | {ratio} | {floor} |", flush=True)

    def plain(self, what, ours, floor=""):
        self.cells(what, ours, "", "", floor)

    def cells(self, *cells):
        print(f"| {' | '.join(cells)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, epilog="It needs up to 20 GB of disk, for a while.")
    parser.add_argument("--pairs", default=",".join(PAIRS), help=f"of {', '.join(PAIRS)}")
    parser.add_argument("--runs", type=int, default=5, help="runs of what takes long")
    parser.add_argument("--starts", type=int, default=60, help="starts of the application")
    parser.add_argument("--no-peers", action="store_true", help="leave out tufup, which takes half an hour")
    parser.add_argument("--growth", action="store_true", help="instead, repositories of 10, 100, 1000 releases")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=ROOT / ".work") as folder:
        work = pathlib.Path(folder)
        if options.growth:
            growth(work, options)
            return
        table = Table()
        size = (BIN / "notsotuf-stub").stat().st_size
        table.plain("stub, stripped", f"{size:,} B")
        for pair in options.pairs.split(","):
            place = work / pair
            place.mkdir()
            with Served(place / "project" / "repository") as url:
                bench(place, pair, url, table, options)


class Served:
    """A folder, served on localhost by our own server."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.command = [BIN / "notsotuf", "serve", "--quiet", "--port", "0", "--dir", folder]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        return self.process.stdout.readline().split()[-1]

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def bench(work, pair, url, table, options):
    project = work / "project"
    old, new = (BUNDLES / name for name in PAIRS[pair])
    notsotuf(project, "init", "--app", "app", "--plain", "--url", url)
    add(project, "1.0", old)
    notsotuf(project, "publish")

    def ours():
        shutil.rmtree(project / ".notsotuf-pending", ignore_errors=True)
        return add(project, "1.1", new)

    added = alternate(options.runs, ours)[0]
    their = None
    peer = work / "tufup"
    if not options.no_peers:
        peer.mkdir()
        Run([PYTHON, PEERS, "release", "app", "1.0", old], cwd=peer)
        their = alternate(1, lambda: Run([PYTHON, PEERS, "release", "app", "1.1", new], cwd=peer))[0]
    table.row(f"{pair}: add, archive and patch", added, their)
    size = (project / ".notsotuf-pending" / "files" / "app-1.1.patch").stat().st_size
    theirs = ""
    if their:
        theirs = f"{(peer / 'repository' / 'targets' / 'app-1.1.patch').stat().st_size:,} B"
    other = hdiffpatch(work, old, new)
    table.cells(f"{pair}: patch", f"{size:,} B", theirs, f"{other / size:.1f}×", f"HDiffPatch {other:,} B")
    notsotuf(project, "publish")
    updates(work, pair, project, url, peer if their else None, table, options)


def make_tars(work, *bundles):
    """The bundles as tars that have the same bytes each time."""
    tars = []
    for name, bundle in zip(["old", "new"], bundles):
        tars.append(work / f"{name}.tar")
        line = ["tar", "cf", tars[-1], "--sort=name", "--mtime=@0", "--owner=0", "--group=0"]
        Run([*line, "-C", bundle, "."])
    return tars


def hdiffpatch(work, old, new):
    """Bytes of a patch by HDiffPatch with LZMA2, over the whole tars."""
    tars = make_tars(work, old, new)
    script = (
        "import hdiffpatch, sys; old, new = (open(p, 'rb').read() for p in sys.argv[1:]);"
        "print(len(hdiffpatch.diff(old, new, compression=hdiffpatch.COMPRESSION_LZMA2)))"
    )
    size = int(Run([BENCH / "venv-old" / "bin" / "python", "-c", script, *tars]).output)
    for tar in tars:
        tar.unlink()
    return size


def updates(work, pair, project, url, peer, table, options):
    """The client: updates, and starts of the smallest bundle."""
    shipped = work / "shipped"
    notsotuf(project, "ship", "--version", "1.0", "--output", shipped)

    # Nothing is removed while measuring: ext4 searches long for an inode after
    # many were freed in the last minutes.
    numbers = itertools.count()

    def fresh():
        install = work / f"install-{next(numbers)}"
        shutil.copytree(shipped, install, symlinks=True)
        os.sync()
        return install

    def ours_patch():
        return Run([fresh() / "program", "--updater", "update"])

    def ours_full():
        install = fresh()
        (install / "app" / ".notsotuf-release").unlink()
        return Run([install / "program", "--updater", "update"])

    def copy():
        os.sync()
        return Run(["cp", "-r", shipped / "app", work / f"floor-{next(numbers)}"])

    def hashing():
        line = f"find {shipped}/app -type f -print0 | xargs -0 openssl dgst -sha256"
        return Run(["sh", "-c", line])

    targets = project / "repository" / "targets"
    archive = next(targets.glob("*app-1.1.tar.gz")).name

    def pipe():
        out = work / f"pipe-{next(numbers)}"
        out.mkdir()
        os.sync()
        return Run(["sh", "-c", f"curl -s {url}/targets/{archive} | tar xz -C {out}"])

    patch, copied, hashed = alternate(options.runs, ours_patch, copy, hashing)
    floor = f"cp -r {seconds(copied[0])}, hashing {seconds(hashed[0])}"
    if peer:
        with Served(peer / "repository") as their_url:
            root = peer / "repository" / "metadata" / "1.root.json"
            theirs = [PYTHON, PEERS, "client", their_url, root]
            old = peer / "repository" / "targets" / "app-1.0.tar.gz"

            def client(*more):
                os.sync()
                return Run([*theirs, work / f"client-{next(numbers)}", "app", "1.0", *more])

            their_patch = alternate(1, lambda: client(old))[0]
            full, curl, their_full = alternate(options.runs, ours_full, pipe, client)
    else:
        their_patch = their_full = None
        full, curl = alternate(options.runs, ours_full, pipe)
    table.row(f"{pair}: client, patch", patch, their_patch, floor)
    table.row(f"{pair}: client, full", full, their_full, f"curl \\| tar xz {seconds(curl[0])}")
    if pair.startswith("small"):
        install = fresh()
        Run([install / "program"])
        starts(install, table, options)


def starts(install, table, options):
    direct = install / "app" / "program"
    base, ours, alone = alternate(
        options.starts,
        lambda: Run([direct], bare=True),
        lambda: Run([install / "program"], bare=True),
        lambda: Run([install / "program", "--updater", "version"], bare=True),
    )
    table.plain(
        "up-to-date start, added to a direct one",
        seconds(ours[0] - base[0]),
        f"direct start {seconds(base[0])}",
    )
    command = [install / "program", "--updater", "check"]
    check = alternate(options.starts, lambda: Run(command, bare=True))[0]
    memory = alternate(5, lambda: Run(command))[0]
    table.plain(
        "up-to-date check alone", cell((check[0], memory[1])), f"process start {seconds(alone[0])}"
    )
    settings = install / "notsotuf.toml"
    settings.write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:9", settings.read_text()))
    base, offline = alternate(
        options.starts, lambda: Run([direct], bare=True), lambda: Run([install / "program"], bare=True)
    )
    table.plain("start without a network, added to a direct one", seconds(offline[0] - base[0]))


def growth(work, options):
    """What many releases in one repository cost. The application is small."""
    print("| releases | add | publish | targets metadata | check | check, first |")
    print("|---|---|---|---|---|---|")
    project = work / "project"
    bundle = work / "bundle"
    bundle.mkdir()
    for n in range(20):
        (bundle / f"file{n}").write_bytes(os.urandom(20_000))
    program = bundle / "program"
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o755)
    with Served(project / "repository") as url:
        notsotuf(project, "init", "--app", "app", "--plain", "--url", url)
        count = 0
        for goal in [10, 100, 1000]:
            while count < goal:
                (bundle / "file0").write_bytes(os.urandom(20_000))
                added = notsotuf(project, "add", f"1.{count}", bundle)
                count += 1
            published = notsotuf(project, "publish")
            size = max(p.stat().st_size for p in (project / "repository/metadata").glob("*targets.json"))
            install = work / f"install-{goal}"
            notsotuf(project, "ship", "--output", install)
            first = Run([install / "program", "--updater", "check"])
            check = alternate(20, lambda: Run([install / "program", "--updater", "check"]))[0]
            cells = [f"{run.seconds * 1000:.0f} ms, {run.megabytes:.0f} MB" for run in [added, published]]
            first = f"{seconds(first.seconds)}, {first.megabytes:.0f} MB"
            print(f"| {goal} | {cells[0]} | {cells[1]} | {size:,} B | {cell(check)} | {first} |", flush=True)


if __name__ == "__main__":
    main()
