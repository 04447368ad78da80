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
  need_venv .venv scripts/requirements.txt || die "pip cannot install scripts/requirements.txt"
}

# need_venv FOLDER REQUIREMENTS: a virtual environment with those packages.
need_venv() {
  command -v python3 >/dev/null || die "python3 is missing: install Python 3.9 or newer"
  cmp -s "$2" "$1/.requirements" && return
  say "installing Python packages into $1"
  rm -rf "$1"
  python3 -m venv "$1" || die "python3 -m venv failed: on Debian, apt-get install python3-venv"
  "$1/bin/pip" install --quiet --disable-pip-version-check -r "$2" || return
  cp "$2" "$1/.requirements"
}

# The packages that users come from. They are old: if this Python is too new for
# them, their tests are left out, which is said.
need_old_packages() {
  need_venv .work/venv-notsotuf scripts/requirements-notsotuf.txt &&
    need_venv .work/venv-pyupdater scripts/requirements-pyupdater.txt && return
  say "PyUpdater 4.0 or notsotuf 0.1 cannot be installed with $(python3 --version) (3.11 can): tests of migration are left out"
  return 1
}

# Older versions of tufup, as clients in the field have them.
need_old_tufups() {
  local list version
  for list in scripts/tufup/*.txt; do
    version=$(basename "$list" .txt)
    need_venv ".work/venv-tufup-$version" "$list" && continue
    rm -rf ".work/venv-tufup-$version"
    say "tufup $version cannot be installed with $(python3 --version): its test is left out"
  done
}

# need_debian_file PACKAGE FILE: installs a Debian package where a file of it is missing.
need_debian_file() {
  [ -e "$2" ] && return
  need_debian "$1" "$2"
}

# apt-get, which waits while another program has the package manager's lock: on a
# new machine that is often its own first update.
apt_patiently() {
  local try errors
  errors=$(mktemp)
  for try in $(seq 60); do
    # In the language that is looked for below.
    if LC_ALL=C apt-get -o DPkg::Lock::Timeout=600 "$@" 2> "$errors"; then
      rm -f "$errors"
      return
    fi
    # Not all of its locks know the time-out.
    grep -q 'Could not get lock\|Unable to lock' "$errors" || break
    [ "$try" != 1 ] || say "waiting for the package manager's lock"
    sleep 10
  done
  cat "$errors" >&2
  rm -f "$errors"
  return 1
}

# Fetches the lists of packages, once for a script and those that it calls.
apt_update_once() {
  [ -n "${apt_updated:-}" ] && return
  apt_patiently update -qq && export apt_updated=yes
}

# need_debian PACKAGE COMMAND: installs a Debian package where a command is missing.
need_debian() {
  command -v "$2" >/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing the Debian package $1"
    apt_update_once && apt_patiently install -y -qq --no-install-recommends "$1" >/dev/null && return
  fi
  die "$2 is missing: install it (Debian: apt-get install $1)"
}

# A desktop that nobody looks at, with what shows windows on it.
need_desktop() {
  need_debian xvfb Xvfb
  need_debian dbus dbus-daemon
  need_debian xdotool xdotool
  need_debian zenity zenity
  need_debian kdialog kdialog
  need_debian_file fonts-dejavu-core /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
}

# need_tool NAME VERSION OPTION...: a program from crates.io, in .work/tools/bin.
need_tool() {
  local name=$1 version=$2
  shift 2
  [ -x ".work/tools/bin/$name" ] && return
  say "building $name (once)"
  cargo install "$name" --version "$version" --locked --quiet --root .work/tools "$@"
}
