"""For PyInstaller applications that notsotuf updates.

The application asks the stub that started it, over its documented interface: environment variables
and `--updater COMMAND`. Everything here works, and does nothing, where there is no stub, as during
development. This file is complete in itself: import the package, or copy the file beside your code
as `notsotuf_app.py`. Python 3.8 or newer, nothing else needed.

    import notsotuf_app

    notsotuf_app.ready()                       # "I work": ends the probation of a new version
    update = notsotuf_app.stage()              # fetch what is new, while the application runs
    if update.is_staged and ask(f"Version {update.version} is ready. Restart?"):
        notsotuf_app.restart()

`check`, `stage`, `update`, `rollback` and `repair` take as long as the network or the disk does: call
them in a thread, or await `stage_async` and the like. They raise `UpdateError` and nothing else.
"""

from __future__ import annotations

import json
import os
import pathlib
import queue
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, fields
from typing import IO, TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple, TypeVar

if TYPE_CHECKING:
    from typing import NoReturn

__all__ = [
    "Busy",
    "Cancelled",
    "Channel",
    "Check",
    "Local",
    "Note",
    "Progress",
    "Refused",
    "Release",
    "Result",
    "Skipped",
    "Status",
    "Unavailable",
    "UpdateError",
    "channel",
    "check",
    "check_async",
    "held",
    "hold",
    "previous",
    "ready",
    "repair",
    "repair_async",
    "restart",
    "rollback",
    "rollback_async",
    "set_channel",
    "stage",
    "stage_async",
    "staged",
    "status",
    "stub",
    "unhold",
    "update",
    "update_async",
    "version",
]


class UpdateError(Exception):
    """The stub could not do it. `kind`: "refused" (something did not verify), "unavailable" (try again
    later), "local" (this computer) or "cancelled"; there is a subclass for each."""

    kind = "local"

    def __init__(self, message: str, kind: Optional[str] = None) -> None:
        super().__init__(message)
        if kind is not None:
            self.kind = kind


class Refused(UpdateError):
    """Something did not verify, and nothing of it was used."""

    kind = "refused"


class Unavailable(UpdateError):
    """The repository could not be reached, or does not have it. Try again later."""

    kind = "unavailable"


class Local(UpdateError):
    """Something is wrong on this computer."""

    kind = "local"


class Busy(Local):
    """Another process is updating this application at this moment."""


class Cancelled(UpdateError):
    """It was cancelled. What was downloaded is kept for the next time."""

    kind = "cancelled"


class _Fields:
    # `update["version"]` for `update.version`, as earlier versions of this file had it.
    def __getitem__(self, name: str) -> Any:
        if name not in [field.name for field in fields(self)]:  # type: ignore[arg-type]
            raise KeyError(name)
        return getattr(self, name)


@dataclass(frozen=True)
class Release(_Fields):
    """A release of an application."""

    name: str
    version: str


@dataclass(frozen=True)
class Note(_Fields):
    """What is new in a version, in Markdown."""

    version: str
    text: str


@dataclass(frozen=True)
class Skipped(_Fields):
    """A newer version that is not installed now. `why`: "failed", "rolled-back", "not-installed",
    "rollout", "held", or what newer stubs say; `reason`: the same in words."""

    version: str
    why: str
    reason: str = ""


@dataclass(frozen=True)
class Progress(_Fields):
    """What is being done. `step`: "checking", "downloading", "unpacking" or "installing"; `done` and
    `total`: bytes, where there are any to count."""

    step: str
    version: Optional[str] = None
    done: Optional[int] = None
    total: Optional[int] = None

    @property
    def fraction(self) -> Optional[float]:
        """How much of this step is done, from 0 to 1; None where that is not known."""
        if self.done is None or not self.total:
            return None
        return min(1.0, max(0.0, self.done / self.total))


@dataclass(frozen=True)
class Check(_Fields):
    """What the repository offers: `update` is the version, or None."""

    update: Optional[str] = None
    required: bool = False
    notes: Tuple[Note, ...] = ()
    skipped: Tuple[Skipped, ...] = ()
    installed: Optional[Release] = None


@dataclass(frozen=True)
class Result(_Fields):
    """How it ended. `result`: "staged" (`version` is ready, and will be installed at the next start),
    "updated" (`version` is installed) or "up-to-date" (there was nothing to do)."""

    result: str = "up-to-date"
    version: Optional[str] = None
    skipped: Tuple[Skipped, ...] = ()
    damaged: Tuple[str, ...] = ()

    @property
    def is_staged(self) -> bool:
        """Whether a restart brings `version`."""
        return self.result == "staged"


@dataclass(frozen=True)
class Status(_Fields):
    """What is installed, staged, and kept from before, and the notes of the last update. What only the
    owner of the install can see is None or empty for others (`readable` is False). `switched_off_by`: the
    file with which an administrator has switched updates off."""

    installed: Optional[Release] = None
    staged: Optional[Release] = None
    previous: Optional[Release] = None
    probation: bool = False
    failed: Tuple[str, ...] = ()
    rolled_back: Tuple[str, ...] = ()
    not_installed: Tuple[str, ...] = ()
    notes: Tuple[Note, ...] = ()
    channel: str = "final"
    hold: Optional[str] = None
    mode: str = "before-launch"
    switched_off_by: Optional[str] = None
    metadata_url: Optional[str] = None
    targets_url: Optional[str] = None
    log: Optional[str] = None
    updater: Optional[str] = None
    readable: bool = True


@dataclass(frozen=True)
class Channel(_Fields):
    """Which releases are wanted. `channel`: "final", "rc" (also candidates), "b" (also betas) or "a"
    (also alphas); `chosen`: what the user chose, or None; `default`: what counts without that;
    `fixed_by`: the file with which an administrator has decided for everybody, or None."""

    channel: str = "final"
    chosen: Optional[str] = None
    default: str = "final"
    channels: Tuple[str, ...] = ("final", "rc", "b", "a")
    fixed_by: Optional[str] = None


def stub() -> Optional[str]:
    """The path of the stub that started this application; None without one."""
    return _told("NOTSOTUF_STUB")


def version() -> Optional[str]:
    """The installed version; None without a stub."""
    return _told("NOTSOTUF_VERSION")


def previous() -> Optional[str]:
    """The previous version, which is kept for going back; None after a fresh install or without a stub."""
    return _told("NOTSOTUF_PREVIOUS")


def staged() -> Optional[str]:
    """A version that was ready to be installed when this application was started; mostly None."""
    return _told("NOTSOTUF_STAGED")


def ready() -> bool:
    """Says that this version works, if it is on probation. Never raises; False if it could not be said."""
    path = _told("NOTSOTUF_READY_FILE")
    if path is None:
        return True
    try:
        pathlib.Path(path).touch()
    except (OSError, ValueError):
        return False
    return True


def status(timeout: Optional[float] = 30) -> Status:
    """What is installed, staged, and kept from before, and the notes of the last update."""
    answer = _ask(["status"], timeout=timeout)
    return Status(
        installed=_release(answer.get("installed")),
        staged=_release(answer.get("staged")),
        previous=_release(answer.get("previous")),
        probation=answer.get("probation") is True,
        failed=_texts(answer.get("failed")),
        rolled_back=_texts(answer.get("rolled_back")),
        not_installed=_texts(answer.get("not_installed")),
        notes=_notes(answer.get("notes")),
        channel=_text(answer.get("channel")) or "final",
        hold=_text(answer.get("hold")),
        mode=_text(answer.get("mode")) or "before-launch",
        switched_off_by=_text(answer.get("switched_off_by")),
        metadata_url=_text(answer.get("metadata_url")),
        targets_url=_text(answer.get("targets_url")),
        log=_text(answer.get("log")),
        updater=_text(answer.get("updater")),
        readable=answer.get("readable") is not False,
    )


def check(cancel: Optional[threading.Event] = None, timeout: Optional[float] = 300) -> Check:
    """Asks the repository what there is."""
    answer = _ask(["check"], cancel=cancel, timeout=timeout)
    return Check(
        update=_text(answer.get("update")),
        required=answer.get("required") is True,
        notes=_notes(answer.get("notes")),
        skipped=_skipped(answer.get("skipped")),
        installed=_release(answer.get("installed")),
    )


def stage(
    progress: Optional[Callable[[Progress], object]] = None,
    cancel: Optional[threading.Event] = None,
    timeout: Optional[float] = None,
) -> Result:
    """Fetches and verifies what is new, to be installed at the next start. Takes as long as the
    download; call it in a thread. `progress` is called, in that thread, with each `Progress`; where
    `cancel` is set, it ends with `Cancelled`, and the next time continues."""
    return _result(_ask(["stage"], progress, cancel, timeout))


def update(
    progress: Optional[Callable[[Progress], object]] = None,
    cancel: Optional[threading.Event] = None,
    timeout: Optional[float] = None,
    retry: bool = False,
) -> Result:
    """Installs what is new; while this application runs, stages it as `stage` does. `retry`: also what
    failed on this computer before."""
    return _result(_ask(["update", "--retry"] if retry else ["update"], progress, cancel, timeout))


def rollback(
    progress: Optional[Callable[[Progress], object]] = None,
    cancel: Optional[threading.Event] = None,
    timeout: Optional[float] = None,
) -> Result:
    """Goes back to the previous version, at the next start ("staged") as this application runs."""
    return _result(_ask(["rollback"], progress, cancel, timeout))


def repair(
    progress: Optional[Callable[[Progress], object]] = None,
    cancel: Optional[threading.Event] = None,
    timeout: Optional[float] = None,
) -> Result:
    """Restores files that are missing or not as they were installed (`damaged`), at the next start
    ("staged") as this application runs."""
    return _result(_ask(["repair"], progress, cancel, timeout))


def channel() -> Channel:
    """Which releases are wanted."""
    return _channel(_ask(["channel"], timeout=30))


def set_channel(name: Optional[str]) -> Channel:
    """Chooses a channel for this install, which updates keep; None: what counts without a choice.
    What is staged and excluded by that is dropped."""
    return _channel(_ask(["channel", "default" if name is None else name], timeout=30))


def held() -> Optional[str]:
    """The version that the user stays with, or None."""
    return _text(_ask(["hold"], timeout=30).get("hold"))


def hold(version: Optional[str] = None) -> Optional[str]:
    """Stays with a version, or with this one: nothing newer is installed until `unhold`. Returns it."""
    wanted = version or _told("NOTSOTUF_VERSION")
    if stub() is not None and not wanted:
        raise Local("it is not known which version this is, so say with which one to stay")
    return _text(_ask(["hold", wanted or ""], timeout=30).get("hold"))


def unhold() -> None:
    """Stays with no version any more: updates come again."""
    _ask(["hold", "off"], timeout=30)


def restart(arguments: Optional[Sequence[str]] = None) -> NoReturn:
    """Starts the stub, and with it the application, anew, with the same arguments or others. Does not
    return; save everything before. Without a stub, and if it cannot be started, it raises `Local`."""
    program = stub()
    if program is None:
        raise Local("there is no stub that could start the application")
    command = [program, *(sys.argv[1:] if arguments is None else arguments)]
    if command[1:2] == ["--updater"]:
        raise Local("an argument --updater would be a command to the stub")
    loader = _loader()
    _flush()
    try:
        if os.name == "nt":
            # The stub waits for these processes to end before it installs anything.
            ids = [str(os.getpid()), *([str(loader)] if loader else [])]
            subprocess.Popen(command, env=_environment(NOTSOTUF_WAIT_FOR=",".join(ids)))
            os._exit(0)
        # This process becomes the stub. The loader of a one-file bundle waits for it, and is no
        # instance of the application; nor are those of earlier restarts.
        before = os.environ.get("NOTSOTUF_BOOTLOADERS")
        loaders = ",".join(filter(None, [before, str(loader) if loader else None]))
        more = {"NOTSOTUF_BOOTLOADERS": loaders} if loaders else {}
        os.execve(program, command, _environment(**more))
    except (OSError, ValueError) as error:
        raise Local(f"the stub cannot be started: {error}") from error


async def check_async(timeout: Optional[float] = 300) -> Check:
    """`check`, to be awaited."""
    return await _awaited(lambda _, cancel: check(cancel, timeout), None)


async def stage_async(
    progress: Optional[Callable[[Progress], object]] = None, timeout: Optional[float] = None
) -> Result:
    """`stage`, to be awaited. `progress` is called by the event loop. To cancel, cancel the task."""
    return await _awaited(lambda tell, cancel: stage(tell, cancel, timeout), progress)


async def update_async(
    progress: Optional[Callable[[Progress], object]] = None,
    timeout: Optional[float] = None,
    retry: bool = False,
) -> Result:
    """`update`, to be awaited, as `stage_async`."""
    return await _awaited(lambda tell, cancel: update(tell, cancel, timeout, retry), progress)


async def rollback_async(
    progress: Optional[Callable[[Progress], object]] = None, timeout: Optional[float] = None
) -> Result:
    """`rollback`, to be awaited, as `stage_async`."""
    return await _awaited(lambda tell, cancel: rollback(tell, cancel, timeout), progress)


async def repair_async(
    progress: Optional[Callable[[Progress], object]] = None, timeout: Optional[float] = None
) -> Result:
    """`repair`, to be awaited, as `stage_async`."""
    return await _awaited(lambda tell, cancel: repair(tell, cancel, timeout), progress)


def _told(name: str) -> Optional[str]:
    # Environments are inherited: where a frozen application is not in the install of that stub, another
    # application has started it, and what was said was said to that one.
    value = os.environ.get(name)
    return value if value and (not hasattr(sys, "frozen") or _is_installed()) else None


def _is_installed() -> bool:
    stub = os.environ.get("NOTSOTUF_STUB")
    if not stub:
        return False
    try:
        install, program = (os.path.realpath(path) for path in (os.path.dirname(stub), sys.executable))
    except (OSError, ValueError):
        return False
    return os.path.normcase(program).startswith(os.path.normcase(os.path.join(install, "")))


_T = TypeVar("_T")
_Tell = Optional[Callable[[Progress], object]]


async def _awaited(call: Callable[[_Tell, threading.Event], _T], progress: _Tell) -> _T:
    # Not imported by applications that do not use it.
    import asyncio

    loop = asyncio.get_running_loop()
    cancel = threading.Event()

    def tell(event: Progress) -> None:
        if progress is not None and not cancel.is_set():
            loop.call_soon_threadsafe(progress, event)

    # A thread of its own: those of the executor may all be busy, and would be waited for at exit.
    future: asyncio.Future[_T] = loop.create_future()

    def settle(result: Optional[_T], error: Optional[BaseException]) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def work() -> None:
        result, error = None, None
        try:
            result = call(tell if progress is not None else None, cancel)
        except BaseException as e:
            error = e
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            pass  # The loop is closed; nobody waits.

    threading.Thread(target=work, name="notsotuf", daemon=True).start()
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        cancel.set()
        # The stub has ended before this does, so that another may be started at once.
        await asyncio.wait([future])
        if not future.cancelled():
            future.exception()
        raise


_TICK = 0.1
# How long a process that has been told to end, or has answered, is waited for.
_PATIENCE = 5.0
# How long what is being put in place is waited for, against cancel and timeout: it is a few renames,
# or, where folders cannot be renamed, a copy.
_INSTALLATION = 300.0


def _ask(
    words: List[str],
    progress: _Tell = None,
    cancel: Optional[threading.Event] = None,
    timeout: Optional[float] = None,
) -> Dict[str, Any]:
    if stub() is None:
        return {}
    # Also where nobody wants to know: what is being put in place is not to be broken off.
    tells = words[0] in ("check", "stage", "update", "rollback", "repair")
    answer, code = _run([*words, "--events" if tells else "--json"], progress, cancel, timeout)
    if answer is None and code == 2 and tells:
        # A stub of old, which tells nothing of its progress.
        answer, code = _run([*words, "--json"], None, cancel, timeout)
    if answer is None and code == 2:
        raise Local(_complaint(words))
    if answer is None:
        raise Local(f"the stub ended with exit code {code} and without an answer")
    if "error" in answer:
        message, kind = str(answer["error"]), str(answer.get("class", "local"))
        if answer.get("locked") is True:
            raise Busy(message)
        known = {"refused": Refused, "unavailable": Unavailable, "local": Local}
        raise known[kind](message) if kind in known else UpdateError(message, kind)
    return answer


def _complaint(words: List[str]) -> str:
    # What is wrong with an argument is told people only.
    process = _start(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        told = process.communicate(timeout=_PATIENCE)[1].decode("utf-8", "replace").strip()
    except subprocess.TimeoutExpired:
        process.kill()
        _wait(process)
        told = ""
    known = told.splitlines()[0] if told else "the stub does not know this"
    return f"{known} ({' '.join(words)}; the stub may be older than the application)"


def _run(
    words: List[str], progress: _Tell, cancel: Optional[threading.Event], timeout: Optional[float]
) -> Tuple[Optional[Dict[str, Any]], int]:
    if cancel is not None and cancel.is_set():
        raise Cancelled("cancelled")
    process = _start(words)
    installs, since = False, 0.0
    try:
        answer = None
        end = None if timeout is None else time.monotonic() + timeout
        lines = _lines(process)
        while True:
            # What is being put in place is let be, rather than done again at the next start.
            waits = installs and time.monotonic() < since + _INSTALLATION
            if cancel is not None and cancel.is_set() and not waits:
                raise Cancelled("cancelled")
            if end is not None and time.monotonic() > end and not waits:
                raise Unavailable(f"there was no answer within {timeout:g} seconds")
            ended = process.poll() is not None
            try:
                line = lines.get(timeout=_TICK)
            except queue.Empty:
                if ended:
                    # A process that it started has kept the other end open.
                    break
                continue
            if line is None:
                break
            found = _object(line)
            if "progress" not in found:
                answer = found or answer
                continue
            event = _progress(found)
            if event.step == "installing" and not installs:
                since = time.monotonic()
            installs = event.step == "installing"
            if progress is not None:
                progress(event)
    except BaseException:
        # What is being put in place is completed without us.
        if not installs:
            process.kill()
            _wait(process)
        raise
    return answer, _wait(process)


def _start(
    words: List[str], stdout: int = subprocess.PIPE, stderr: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [stub() or "", "--updater", *words],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=_environment(),
            creationflags=0x08000000 if os.name == "nt" else 0,  # CREATE_NO_WINDOW
        )
    except (OSError, ValueError) as error:
        raise Local(f"the stub cannot be started: {error}") from error


def _lines(process: subprocess.Popen[bytes]) -> queue.Queue[Optional[bytes]]:
    # Read by a thread, which may be left behind: nobody waits for ever for a line.
    lines: queue.Queue[Optional[bytes]] = queue.Queue()

    def read(stream: IO[bytes]) -> None:
        try:
            with stream:
                for line in stream:
                    lines.put(line)
        except (OSError, ValueError):
            pass
        lines.put(None)

    if process.stdout is not None:
        threading.Thread(target=read, args=(process.stdout,), name="notsotuf", daemon=True).start()
    return lines


def _wait(process: subprocess.Popen[bytes]) -> int:
    for last in (False, True):
        try:
            return process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            if last:
                break
            process.kill()
    return -1


def _object(line: bytes) -> Dict[str, Any]:
    try:
        found = json.loads(line.decode("utf-8"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: object) -> Optional[str]:
    return value if isinstance(value, str) else None


def _number(value: object) -> Optional[int]:
    return value if isinstance(value, int) else None


def _texts(value: object) -> Tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _objects(value: object) -> List[Dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _release(value: object) -> Optional[Release]:
    if not isinstance(value, dict):
        return None
    return Release(str(value.get("name", "")), str(value.get("version", "")))


def _notes(value: object) -> Tuple[Note, ...]:
    return tuple(Note(str(item.get("version", "")), str(item.get("text", ""))) for item in _objects(value))


def _skipped(value: object) -> Tuple[Skipped, ...]:
    return tuple(
        Skipped(str(item.get("version", "")), str(item.get("why", "")), str(item.get("reason", "")))
        for item in _objects(value)
    )


def _progress(event: Dict[str, Any]) -> Progress:
    return Progress(
        step=str(event["progress"]),
        version=_text(event.get("version")),
        done=_number(event.get("done")),
        total=_number(event.get("total")),
    )


def _result(answer: Dict[str, Any]) -> Result:
    return Result(
        result=_text(answer.get("result")) or "up-to-date",
        version=_text(answer.get("version")),
        skipped=_skipped(answer.get("skipped")),
        damaged=_texts(answer.get("damaged")),
    )


def _channel(answer: Dict[str, Any]) -> Channel:
    return Channel(
        channel=_text(answer.get("channel")) or "final",
        chosen=_text(answer.get("chosen")),
        default=_text(answer.get("default")) or "final",
        channels=_texts(answer.get("channels")) or Channel.channels,
        fixed_by=_text(answer.get("fixed_by")),
    )


def _loader() -> Optional[int]:
    # The process of a one-file bundle that unpacked the files and now waits for this one.
    unpacked = os.path.basename(getattr(sys, "_MEIPASS", ""))
    return os.getppid() if unpacked.startswith("_MEI") else None


def _flush() -> None:
    # A stream may be missing (no console) or gone.
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass


def _environment(**more: str) -> Dict[str, str]:
    # The libraries of this application are not the stub's.
    environment = {**os.environ, **more}
    for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LIBPATH"):
        before = environment.pop(name + "_ORIG", None)
        if before is not None:
            environment[name] = before
        elif hasattr(sys, "frozen"):
            environment.pop(name, None)
    return environment
