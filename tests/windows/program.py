"""The application of the tests under wine. It appends a line of JSON to the file that
PROGRAM_REPORT names, and prints it where it has a standard output."""

import hashlib
import json
import os
import ssl  # noqa: F401  a library of some size, as applications have
import sqlite3  # noqa: F401
import subprocess
import sys
import time

VERSION = "0"


def main():
    words = sys.argv[1:]
    piped = "--read" in words
    data = sys.stdin.buffer.read() if piped else b""
    line = json.dumps({
        "version": VERSION,
        "args": words,
        "cwd": os.getcwd(),
        "program": sys.executable,
        "stdin": hashlib.sha256(data).hexdigest() if piped else None,
        "told": {name: value for name, value in os.environ.items() if name.startswith("NOTSOTUF_")},
    })
    report = os.environ.get("PROGRAM_REPORT")
    if report:
        with open(report, "a", encoding="utf-8") as file:
            file.write(line + "\n")
    if sys.stdout is not None:
        print(line, flush=True)
    if os.environ.get("PROGRAM_FAILS") == VERSION:
        raise RuntimeError("this version fails")
    if "--sleep" in words:
        time.sleep(float(words[words.index("--sleep") + 1]))
    if "--restart" in words:
        # As docs/reference/app-protocol.md says; of a loader it knows nothing.
        told = dict(os.environ, NOTSOTUF_WAIT_FOR=str(os.getpid()))
        subprocess.Popen([os.environ["NOTSOTUF_STUB"], "--again"], env=told)
        sys.stdout.flush()
        os._exit(0)
    return int(os.environ.get("PROGRAM_EXIT", "0"), 0)


if __name__ == "__main__":
    sys.exit(main())
