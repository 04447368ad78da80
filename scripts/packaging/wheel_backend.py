"""Builds the wheel: maturin packs one program, and this puts what else belongs to it beside it.

For pip it is a build backend (PEP 517). scripts/build-wheels, which builds for other platforms,
runs it to fill the folder that `data` in pyproject.toml names:

    wheel_backend.py TRIPLE STUB NOTSOTUF

with the stub for the platform, and a program `notsotuf` that runs here.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import licences

# Where completions belong below the prefix (https://specifications.freedesktop.org/basedir-spec,
# and the manuals of the shells).
COMPLETIONS = {
    "bash": "share/bash-completion/completions/notsotuf",
    "fish": "share/fish/vendor_completions.d/notsotuf.fish",
    "zsh": "share/zsh/site-functions/_notsotuf",
    "powershell": "share/powershell/notsotuf.ps1",
}
ROOT = Path(__file__).resolve().parent.parent.parent
# As in pyproject.toml.
DATA = ROOT / "target/wheel-data"


def get_requires_for_build_wheel(config_settings=None):
    return maturin().get_requires_for_build_wheel(config_settings)


def get_requires_for_build_sdist(config_settings=None):
    return maturin().get_requires_for_build_sdist(config_settings)


def build_sdist(sdist_directory, config_settings=None):
    # maturin wants the folder, although nothing of it belongs into an sdist.
    empty(DATA)
    return maturin().build_sdist(sdist_directory, config_settings)


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Builds for this platform; `-C profile=dev` gives another profile of cargo than release."""
    profile = (config_settings or {}).get("profile", "release")
    stub, notsotuf = (build_program(name, profile) for name in ("notsotuf-stub", "notsotuf"))
    fill(host_triple(), stub, notsotuf)
    # The second build finds everything done.
    settings = {"build-args": f"--profile {profile}"}
    return maturin().build_wheel(wheel_directory, settings, metadata_directory)


def maturin():
    # Where the folder is only filled, it need not be there.
    import maturin as module

    return module


def build_program(package, profile):
    """Returns the path of the program of a package."""
    # Not both at once: the stub would get what only the bundler needs of their dependencies.
    command = ["cargo", "build", "--profile", profile, "--package", package]
    command += ["--message-format=json-render-diagnostics"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    messages = map(json.loads, done.stdout.splitlines())
    return next(
        Path(message["executable"])
        for message in messages
        if message.get("executable") and message["target"]["name"] == package
    )


def host_triple():
    told = subprocess.run(["rustc", "-vV"], stdout=subprocess.PIPE, text=True, check=True)
    lines = told.stdout.splitlines()
    return next(line.split()[1] for line in lines if line.startswith("host:"))


def fill(triple, stub, notsotuf):
    """Puts everything but `notsotuf` itself into the folder, which maturin packs as it is."""
    for_windows = "windows" in triple
    if triple.endswith("windows-gnu"):
        script = Path(__file__).with_name("enter_load_config.py")
        subprocess.run([sys.executable, script, stub], check=True)
    empty(DATA)
    place(stub, Path("scripts") / ("notsotuf-stub" + (".exe" if for_windows else "")))
    for path in sorted((ROOT / "python").rglob("*")):
        # Not what Python and its tools leave there, nor the name for those who copy one file.
        name = path.relative_to(ROOT / "python")
        left = any(part.startswith((".", "__pycache__")) for part in name.parts)
        if path.is_file() and not path.is_symlink() and not left:
            place(path, "purelib" / name)
    for shell, name in COMPLETIONS.items():
        if (shell == "powershell") == for_windows:
            write(f"data/{name}", run(notsotuf, "completions", shell))
    if not for_windows:
        pages = DATA / "data/share/man/man1"
        pages.mkdir(parents=True)
        run(notsotuf, "man", pages)
    write("data/share/doc/notsotuf/THIRD-PARTY-LICENSES.txt", licences.collect(triple))


def empty(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def place(source, name):
    target = DATA / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def write(name, text):
    path = DATA / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def run(program, *arguments):
    # What is written does not depend on who builds.
    environment = {name: value for name, value in os.environ.items() if "NOTSOTUF" not in name}
    done = subprocess.run(
        [program, *arguments], stdout=subprocess.PIPE, encoding="utf-8", env=environment, check=True
    )
    return done.stdout


if __name__ == "__main__":
    fill(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
