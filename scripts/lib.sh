# Shared by the scripts; sourced, from the root of the work tree.

say() { printf '\n== %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Where cargo puts what it builds.
target=${CARGO_TARGET_DIR:-$PWD/target}

need_cargo() {
  command -v cargo >/dev/null || die "cargo is missing: install Rust 1.89 or newer (https://rustup.rs)"
}

# A virtual environment in the work tree with PyInstaller, tufup and python-tuf.
need_python() {
  # PyInstaller looks into libraries with objdump.
  need_debian binutils objdump
  command -v python3 >/dev/null || die "python3 is missing: install Python 3.9 or newer"
  local stamp=.venv/.requirements
  if ! cmp -s scripts/requirements.txt "$stamp"; then
    say "installing Python packages into .venv"
    rm -rf .venv
    python3 -m venv .venv || die "python3 -m venv failed: on Debian, apt-get install python3-venv"
    .venv/bin/pip install --quiet --disable-pip-version-check -r scripts/requirements.txt
    cp scripts/requirements.txt "$stamp"
  fi
}

# need_debian_file PACKAGE FILE: installs a Debian package where a file of it is missing.
need_debian_file() {
  [ -e "$2" ] && return
  need_debian "$1" "$2"
}

# need_debian PACKAGE COMMAND: installs a Debian package where a command is missing.
need_debian() {
  command -v "$2" >/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing the Debian package $1"
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "$1" >/dev/null && return
  fi
  die "$2 is missing: install it (Debian: apt-get install $1)"
}

# need_tool NAME VERSION OPTION...: a program from crates.io, in .work/tools/bin.
need_tool() {
  local name=$1 version=$2
  shift 2
  [ -x ".work/tools/bin/$name" ] && return
  say "building $name (once)"
  cargo install "$name" --version "$version" --locked --quiet --root .work/tools "$@"
}
