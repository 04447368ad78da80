"""Makes the bundles of a pair, once, in .work/bench/pairs."""

from __future__ import annotations

import hashlib
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys

from pairs import PAIRS, Bumped, LargeFile, Own, Pair
from places import ENVIRONMENTS, OWN_BUNDLES, ROOT
from places import PAIRS as FOLDER

CONSTRAINTS = pathlib.Path(__file__).with_name("constraints.txt")
HDIFFPATCH = "hdiffpatch==2.6.0"


def bundles(name: str) -> list[pathlib.Path]:
    """The bundles of a pair, from the oldest to the newest. Each is a folder with `program`."""
    pair = PAIRS[name]
    if isinstance(pair.source, Own):
        command([ROOT / "scripts" / "make-bench-bundles"])
        return [OWN_BUNDLES / pair.source.old, OWN_BUNDLES / pair.source.new]
    folder = FOLDER / name
    stamp = _stamp(pair)
    if stamp_on_disk(name) != stamp:
        print(f"\n== making the bundles of {name}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if isinstance(pair.source, Bumped):
            _bundle_all(pair.source, folder)
        else:
            _write_large_files(pair.source, folder)
        (folder / "stamp").write_text(stamp)
    return sorted(path for path in folder.iterdir() if path.is_dir())


def stamp_on_disk(name: str) -> str:
    """Says which bundles of a pair are there; another text, other bundles."""
    folder = OWN_BUNDLES if isinstance(PAIRS[name].source, Own) else FOLDER / name
    path = folder / "stamp"
    return path.read_text() if path.exists() else ""


def _stamp(pair: Pair) -> str:
    """Changes whenever other bundles would be made."""
    parts = [repr(pair.source).encode(), pathlib.Path(__file__).read_bytes()]
    if isinstance(pair.source, Bumped):
        parts += [_pyinstaller().encode(), CONSTRAINTS.read_bytes()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _pyinstaller() -> str:
    lines = (ROOT / "scripts" / "requirements.txt").read_text().splitlines()
    return next(line for line in lines if line.lower().startswith("pyinstaller=="))


def environment(*requirements: str) -> pathlib.Path:
    """A virtual environment with these packages, made once; its Python."""
    name = "_".join(re.sub(r"[^\w.]+", "-", requirement) for requirement in sorted(requirements))
    path = ENVIRONMENTS / name
    if not (path / "done").exists():
        print(f"\n== installing {', '.join(requirements)}", file=sys.stderr, flush=True)
        shutil.rmtree(path, ignore_errors=True)
        command([sys.executable, "-m", "venv", path])
        pip = [path / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
        command([*pip, "--constraint", CONSTRAINTS, *requirements])
        (path / "done").touch()
    return path / "bin" / "python"


def _bundle_all(source: Bumped, folder: pathlib.Path) -> None:
    program = folder / "program.py"
    program.write_text(source.program)
    for number, version in enumerate(source.versions):
        python = environment(_pyinstaller(), f"{source.package}=={version}", *source.beside)
        _bundle(python, source, program, folder / str(number), folder / "build")
    shutil.rmtree(folder / "build")
    program.unlink()


def _bundle(python: pathlib.Path, source: Bumped, program: pathlib.Path, to: pathlib.Path, build: pathlib.Path) -> None:
    """Makes one bundle, and starts it once."""
    shutil.rmtree(build, ignore_errors=True)
    out = build / "dist"
    paths = ["--distpath", out, "--workpath", build / "work", "--specpath", build]
    settings = ["--clean", "--noconfirm", "--log-level", "ERROR", "--name", "program", "--" + source.mode]
    # As `notsotuf add` advises: without a fixed seed, each build has sets in another order.
    variables = dict(os.environ, PYTHONHASHSEED="1", PYINSTALLER_CONFIG_DIR=str(build / "cache"))
    command([python, "-m", "PyInstaller", *settings, *paths, *source.options, program], variables)
    (out if source.mode == "onefile" else out / "program").rename(to)
    command([to / "program"])


def _write_large_files(source: LargeFile, folder: pathlib.Path) -> None:
    """The same two files each time, which look like the weights of a model."""
    for number in range(2):
        bundle = folder / str(number)
        bundle.mkdir()
        (bundle / "program").write_text("#!/bin/sh\necho hello\n")
        (bundle / "program").chmod(0o755)
        with open(bundle / "weights.bin", "wb") as file:
            for block in range(source.megabytes):
                file.write(_weights(f"block {block}", 1_000_000))
                if number == 1 and block == source.megabytes * 2 // 5:
                    # Of an odd length: what follows is at other offsets within pages and blocks.
                    file.write(_weights("inserted", 100_003))
    _change(folder / "1" / "weights.bin")


def _weights(seed: str, length: int) -> bytes:
    """Bytes like those of small 32-bit floating-point numbers: random, but for sign and exponent."""
    content = bytearray(random.Random(seed).randbytes(length))
    exponents = bytes([0x3B, 0x3C, 0x3C, 0x3D, 0xBB, 0xBC, 0xBC, 0xBD] * 32)
    content[3::4] = content[3::4].translate(exponents)
    return bytes(content)


def _change(path: pathlib.Path) -> None:
    """Writes something else at twelve places, between 40 bytes and 80 kB."""
    places = random.Random("places")
    with open(path, "r+b") as file:
        for number in range(12):
            file.seek(places.randrange(path.stat().st_size - 100_000))
            file.write(_weights(f"change {number}", 40 * 2**number))


def command(words: list, variables: dict[str, str] | None = None) -> None:
    """Runs a command, and ends this program with what it printed if it fails."""
    done = subprocess.run(words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))} failed:\n{done.stdout}")
