"""See scripts/compare-bipatch."""

import argparse
import os
import pathlib
import tempfile

from bench import BUNDLES, PAIRS, ROOT, Run, Served, add, cell, make_tars, notsotuf

TOOL = pathlib.Path(os.environ["TARGET"]) / "rust-clients" / "release" / "compare-bipatch"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", default="small-code,mid-code,mid-dep", help=f"of {', '.join(PAIRS)}")
    options = parser.parse_args()
    print("| what | notsotuf | bidiff and bipatch, xz |")
    print("|---|---|---|")
    for pair in options.pairs.split(","):
        with tempfile.TemporaryDirectory(dir=ROOT / ".work") as folder:
            compare(pathlib.Path(folder), pair)


def compare(work, pair):
    old, new = (BUNDLES / name for name in PAIRS[pair])
    tars = make_tars(work, old, new)
    patch = work / "bipatch"
    theirs = Run([TOOL, "diff", *tars, patch])
    rebuilt = work / "rebuilt.tar"
    their_update = Run([TOOL, "apply", tars[0], patch, rebuilt])
    Run(["cmp", rebuilt, tars[1]])

    project = work / "project"
    with Served(project / "repository") as url:
        notsotuf(project, "init", "--app", "app", "--plain", "--url", url)
        add(project, "1.0", old)
        notsotuf(project, "publish")
        shipped = work / "shipped"
        notsotuf(project, "ship", "--output", shipped)
        ours = add(project, "1.1", new)
        size = (project / ".notsotuf-pending" / "files" / "app-1.1.patch").stat().st_size
        notsotuf(project, "publish")
        our_update = Run([shipped / "program", "--updater", "update"])
    row(pair, "patch", f"{size:,} B", f"{patch.stat().st_size:,} B")
    row(pair, "make it (ours: the archive, too)", measured(ours), measured(theirs))
    row(pair, "apply it (ours: check, download, verify, install)", measured(our_update), measured(their_update))


def measured(run):
    return cell((run.seconds, run.megabytes))


def row(pair, what, *cells):
    print(f"| {pair}: {what} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
