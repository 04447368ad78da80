"""For PyInstaller applications that notsotuf updates: copy this file beside your code.

The application asks the stub that started it, over its documented interface: environment variables
and `--updater COMMAND --json`. Everything here works, and does nothing, where there is no stub, as
during development. Python 3.8 or newer, nothing else needed.

    import notsotuf_app

    notsotuf_app.ready()                       # "I work": ends the probation of a new version
    update = notsotuf_app.stage()              # fetch what is new, while the application runs
    if update["result"] == "staged" and ask("Version %s is ready. Restart?" % update["version"]):
        notsotuf_app.restart()
"""

import json
import os
import pathlib
import subprocess
import sys


class UpdateError(Exception):
    """The stub could not do it. `kind`: "refused" (something did not verify), "unavailable" (try again
    later) or "local" (this computer)."""

    def __init__(self, message, kind):
        super().__init__(message)
        self.kind = kind


def stub():
    """The path of the stub that started this application; None without one."""
    return os.environ.get("NOTSOTUF_STUB")


def version():
    """The installed version; None without a stub."""
    return os.environ.get("NOTSOTUF_VERSION")


def previous():
    """The previous version, which is kept for going back; None after a fresh install or without a stub."""
    return os.environ.get("NOTSOTUF_PREVIOUS")


def ready():
    """Says that this version works, if it is on probation."""
    path = os.environ.get("NOTSOTUF_READY_FILE")
    if path:
        pathlib.Path(path).touch()


def status():
    """What is installed, staged, and kept from before, and the notes of the last update: see
    `--updater status --json`."""
    return _ask("status")


def check():
    """Asks the repository: {"update": version or None, "required": bool, "notes": [...], ...}."""
    return _ask("check")


def stage():
    """Fetches and verifies what is new, to be installed at the next start: {"result": "staged" or
    "up-to-date", "version": version or None}. Takes as long as the download; call it in a thread."""
    return _ask("stage")


def restart(arguments=None):
    """Starts the stub, and with it the application, anew, with the same arguments or others. Does not
    return; save everything before."""
    program = stub()
    if program is None:
        raise UpdateError("there is no stub that could start the application", "local")
    command = [program, *(sys.argv[1:] if arguments is None else arguments)]
    loader = _loader()
    if os.name == "nt":
        # The stub waits for these processes to end before it installs anything.
        ids = [str(os.getpid()), *([str(loader)] if loader else [])]
        subprocess.Popen(command, env=_environment(NOTSOTUF_WAIT_FOR=",".join(ids)))
        _flush()
        os._exit(0)
    # This process becomes the stub. The loader of a one-file bundle waits for it, and is no instance of
    # the application; nor are those of earlier restarts.
    loaders = [os.environ.get("NOTSOTUF_BOOTLOADERS"), str(loader) if loader else None]
    loaders = ",".join(filter(None, loaders))
    _flush()
    os.execve(program, command, _environment(**({"NOTSOTUF_BOOTLOADERS": loaders} if loaders else {})))


def _loader():
    # The process of a one-file bundle that unpacked the files and now waits for this one.
    unpacked = os.path.basename(getattr(sys, "_MEIPASS", ""))
    return os.getppid() if unpacked.startswith("_MEI") else None


def _flush():
    # A stream may be missing (no console) or gone.
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass


def _environment(**more):
    # The libraries of this application are not the stub's.
    environment = {**os.environ, **more}
    for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LIBPATH"):
        before = environment.pop(name + "_ORIG", None)
        if before is not None:
            environment[name] = before
        elif hasattr(sys, "frozen"):
            environment.pop(name, None)
    return environment


def _ask(command):
    program = stub()
    if program is None:
        return {"result": "up-to-date", "version": None, "update": None, "installed": None, "staged": None}
    flags = {}
    if os.name == "nt":
        flags["creationflags"] = 0x08000000  # CREATE_NO_WINDOW
    done = subprocess.run(
        [program, "--updater", command, "--json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
        check=False,
        **flags,
    )
    try:
        answer = json.loads(done.stdout.decode("utf-8"))
    except ValueError:
        raise UpdateError("the stub ended with exit code %d" % done.returncode, "local") from None
    if "error" in answer:
        raise UpdateError(answer["error"], answer["class"])
    return answer
