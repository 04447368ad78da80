"""See scripts/bench. Every figure is the median of several runs, and what is
compared runs in turns, so that a noisy machine disturbs both sides alike."""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ["TARGET"]) / "release"
BUNDLES = ROOT / ".work" / "bundles"
PYTHON = ROOT / ".venv" / "bin" / "python"
PEERS = ROOT / "tests" / "python" / "interop.py"


class Run:
    """One command to its end: seconds, and peak memory of it and its children."""

    def __init__(self, command, cwd=None):
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.output = process.stdout.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        self.seconds = time.perf_counter() - start
        self.megabytes = usage.ru_maxrss / 1024
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"{command} failed:\n{self.output}")


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


def seconds(value):
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.1f} s"


def cell(result):
    return f"{seconds(result[0])}, {result[1]:.0f} MB"


class Table:
    def __init__(self):
        print("| what | notsotuf | tufup 0.10 | ratio | floor |")
        print("|---|---|---|---|---|")

    def row(self, what, ours, theirs=None, floor=""):
        ratio = f"{theirs[0] / ours[0]:.0f}×" if theirs else ""
        theirs = cell(theirs) if theirs else ""
        print(f"| {what} | {cell(ours)} | {theirs} | {ratio} | {floor} |", flush=True)

    def plain(self, what, ours, floor=""):
        print(f"| {what} | {ours} | | | {floor} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of what takes long")
    parser.add_argument("--starts", type=int, default=60, help="starts of the application")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=ROOT / ".work") as folder:
        bench(pathlib.Path(folder), options)


def bench(work, options):
    table = Table()
    size = (BIN / "notsotuf-stub").stat().st_size
    table.plain("stub, stripped", f"{size:,} bytes")
    project = work / "project"
    old, new = BUNDLES / "1.0" / "program", BUNDLES / "1.1" / "program"

    server = subprocess.Popen(
        [BIN / "notsotuf", "serve", "--quiet", "--port", "0", "--dir", project / "repository"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = server.stdout.readline().split()[-1]
        notsotuf(project, "init", "--app", "app", "--plain", "--url", url)
        notsotuf(project, "add", "1.0", old)
        notsotuf(project, "publish")
        releases(work, project, new, table, options)
        updates(work, project, url, table, options)
    finally:
        server.kill()
        server.wait()


def releases(work, project, new, table, options):
    """add: archive and patch."""
    theirs = work / "tufup"
    theirs.mkdir()
    Run([PYTHON, PEERS, "release", "app", "1.0", BUNDLES / "1.0" / "program"], cwd=theirs)

    def ours_add():
        shutil.rmtree(project / ".notsotuf-pending", ignore_errors=True)
        return notsotuf(project, "add", "1.1", new)

    def their_add():
        copy = work / "tufup-copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(theirs, copy)
        return Run([PYTHON, PEERS, "release", "app", "1.1", new], cwd=copy)

    ours = alternate(options.runs, ours_add)[0]
    their = alternate(1, their_add)[0]
    table.row("add (38 MB, code changed)", ours, their)
    patch = project / ".notsotuf-pending" / "files" / "app-1.1.patch"
    other = work / "tufup-copy" / "repository" / "targets" / "app-1.1.patch"
    table.plain("its patch", f"{patch.stat().st_size:,} B (tufup: {other.stat().st_size:,} B)")
    notsotuf(project, "publish")


def updates(work, project, url, table, options):
    """The client: updates and starts."""
    shipped = work / "shipped"
    notsotuf(project, "ship", "--version", "1.0", "--output", shipped)
    root = project / "repository" / "metadata" / "1.root.json"

    def fresh():
        install = work / "install"
        shutil.rmtree(install, ignore_errors=True)
        shutil.copytree(shipped, install, symlinks=True)
        return install

    def ours_patch():
        return Run([fresh() / "program", "--updater", "update"])

    def ours_full():
        install = fresh()
        (install / "app" / ".notsotuf-release").unlink()
        return Run([install / "program", "--updater", "update"])

    def their_full():
        client = work / "client"
        shutil.rmtree(client, ignore_errors=True)
        return Run([PYTHON, PEERS, "client", url, root, client, "app", "1.0"])

    def floor():
        copy = work / "floor"
        shutil.rmtree(copy, ignore_errors=True)
        return Run(["cp", "-r", shipped / "app", copy])

    targets = project / "repository" / "targets"
    archive = next(targets.glob("*app-1.1.tar.gz")).name

    def pipe():
        out = work / "pipe"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        line = f"curl -s {url}/targets/{archive} | tar xz -C {out}"
        return Run(["sh", "-c", line])

    patch, copy = alternate(options.runs, ours_patch, floor)
    table.row("client patch update (38 MB)", patch, floor=f"cp -r {seconds(copy[0])}")
    full, their, curl = alternate(options.runs, ours_full, their_full, pipe)
    table.row(
        "client full update (38 MB)", full, their, f"curl \\| tar xz {seconds(curl[0])}"
    )

    install = work / "install"
    Run([install / "program"])
    starts(install, table, options)


def starts(install, table, options):
    direct = install / "app" / "program"
    base, ours, off = alternate(
        options.starts,
        lambda: Run([direct]),
        lambda: Run([install / "program"]),
        lambda: Run([install / "program", "--updater", "version"]),
    )
    added = ours[0] - base[0]
    table.plain(
        "up-to-date start, added to a direct one",
        seconds(added),
        f"direct start {seconds(base[0])}",
    )
    check = alternate(
        options.starts, lambda: Run([install / "program", "--updater", "check"])
    )[0]
    table.plain("up-to-date check alone", cell(check), f"process start {seconds(off[0])}")


if __name__ == "__main__":
    main()
