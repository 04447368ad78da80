"""Where everything is."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ["TARGET"])
BIN = TARGET / "release"
NOTSOTUF = BIN / "notsotuf"
BIPATCH = TARGET / "rust-clients" / "release" / "compare-bipatch"
PYTHON = ROOT / ".venv" / "bin" / "python"
INTEROP = ROOT / "tests" / "python" / "interop.py"

WORK = ROOT / ".work"
BENCH = WORK / "bench"
# What scripts/make-bench-bundles makes.
OWN_BUNDLES = BENCH / "bundles"
# What bundles.py makes: the bundles of each pair, and the Python environments.
PAIRS = BENCH / "pairs"
ENVIRONMENTS = BENCH / "environments"
RESULTS = BENCH / "results"
