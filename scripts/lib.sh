# Shared by the scripts; sourced, from the root of the work tree.

say() { printf '\n== %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Where cargo puts what it builds.
target=${CARGO_TARGET_DIR:-$PWD/target}

# need_room GIGABYTES: ends where the disk cannot hold what a script makes, in all, in the
# work tree. A disk that fills up on the way shows as failures of anything.
need_room() {
  local there free
  # On a fresh machine none of these is there.
  there=$({ du -sck "$target" .work .venv 2>/dev/null || true; } | tail -n 1 | cut -f 1)
  free=$(free_kilobytes .)
  # Much may be there that this does not use again.
  [ $((there + free)) -ge $(($1 << 20)) ] && [ "$free" -ge $((1 << 20)) ] ||
    die "$PWD takes $1 GB in all with what this makes; $((there >> 20)) GB are there, and only $((free >> 20)) GB of the disk are free"
  free=$(free_kilobytes "${TMPDIR:-/tmp}")
  [ "$free" -ge $((1 << 20)) ] ||
    die "this takes up to 1 GB for temporary files; $((free >> 10)) MB are free in ${TMPDIR:-/tmp} (TMPDIR names another folder)"
}

free_kilobytes() { # FOLDER
  df -Pk "$1" | awk 'END { print $4 }'
}

# What is missing of what a script needs: functions called want_… note it, get_wanted
# installs all of it or names all of it. Functions called need_… do so at once.
missing=() packages=() hints=()

# want_debian PACKAGES COMMAND: notes the Debian packages of a command that is missing.
want_debian() {
  command -v "$2" >/dev/null || note_missing "$1" "$2"
}

# want_debian_file PACKAGE FILE: notes a Debian package of which a file is missing.
want_debian_file() {
  [ -e "$2" ] || note_missing "$1" "$2"
}

note_missing() { # PACKAGES WHAT
  local package
  # Two needs may be of one command, and two commands of one package.
  [[ " ${missing[*]-} " == *" $2 "* ]] || missing+=("$2")
  for package in $1; do
    [[ " ${packages[*]-} " == *" $package "* ]] || packages+=("$package")
  done
}

note_elsewhere() { # WHAT HINT: what is missing and no package of Debian
  missing+=("$1")
  hints+=("$1: $2")
}

want_cargo() {
  want_debian "gcc libc6-dev" cc
  command -v cargo >/dev/null || note_elsewhere cargo "install Rust 1.95 or newer (https://rustup.rs)"
}

# What a virtual environment in the work tree with PyInstaller, tufup and python-tuf
# takes; need_python makes it.
want_python() {
  # PyInstaller looks into libraries with objdump.
  want_debian binutils objdump
  want_debian python3 python3
  cmp -s scripts/requirements.txt .venv/.requirements && return
  # Debian has a part of it in a package of its own.
  python3 -c 'import ensurepip' 2>/dev/null || note_missing python3-venv "python3 -m venv"
}

# A desktop that nobody looks at, with what shows windows on it.
want_desktop() {
  want_debian xvfb Xvfb
  want_debian dbus dbus-daemon
  want_debian xdotool xdotool
  want_debian zenity zenity
  want_debian kdialog kdialog
  want_debian_file fonts-dejavu-core /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
}

# The nightly compiler, which alone can fuzz.
want_nightly() {
  cargo +nightly --version >/dev/null 2>&1 && return
  note_elsewhere "cargo +nightly" "rustup toolchain install nightly"
}

# cargo nextest, for scripts that choose tests by its language of filters.
want_nextest() {
  want_cargo
  has_nextest && return
  note_elsewhere "cargo nextest" "cargo install --locked cargo-nextest"
}

has_nextest() {
  cargo nextest --version >/dev/null 2>&1
}

# What scripts/build-windows takes.
want_windows_build() {
  want_debian gcc-mingw-w64-x86-64 x86_64-w64-mingw32-gcc
  has_rustup_target x86_64-pc-windows-gnu || want_debian_rust
}

has_rustup_target() {
  rustup target list --installed 2>/dev/null | grep -qx "$1"
}

# Debian's Rust and the sources of its standard library, for systems that rustup
# may have no target of.
want_debian_rust() {
  want_debian_file rustc-web /usr/bin/rustc
  want_debian_file cargo-web /usr/bin/cargo
  want_debian_file rust-web-src /usr/lib/rustlib/src/rust/library/std/Cargo.toml
}

# Installs the Debian packages that were noted, as root on Debian and all in one go;
# ends with a list of everything that is missing where it cannot.
get_wanted() {
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ ${#packages[@]} -gt 0 ] && [ ${#hints[@]} = 0 ] &&
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing Debian packages: ${packages[*]}"
    if apt_update_once && apt_patiently install -y -qq --no-install-recommends "${packages[@]}" >/dev/null; then
      missing=() packages=()
      return
    fi
  fi
  {
    printf 'error: %s\n' "what this needs is missing:"
    printf '  %s\n' "${missing[@]}"
    [ ${#packages[@]} = 0 ] || printf 'On Debian: apt-get install %s\n' "${packages[*]}"
    [ ${#hints[@]} = 0 ] || printf '%s\n' "${hints[@]}"
  } >&2
  exit 1
}

# The environment that want_python is about.
need_python() {
  want_python
  get_wanted
  need_venv .venv scripts/requirements.txt || die "pip cannot install scripts/requirements.txt"
}

# need_venv FOLDER REQUIREMENTS: a virtual environment with those packages. Its programs name
# their interpreter by the real path: where the work tree was moved, it is made anew.
need_venv() {
  cmp -s "$2" "$1/.requirements" && [ -x "$(sed -n '1s/^#!//p' "$1/bin/pip")" ] && return
  say "installing Python packages into $1"
  rm -rf "$1"
  mkdir -p "$(dirname "$1")"
  python3 -m venv "$(realpath "$(dirname "$1")")/$(basename "$1")" || die "python3 -m venv failed"
  "$1/bin/pip" install --quiet --disable-pip-version-check -r "$2" || return
  cp "$2" "$1/.requirements"
}

# What the examples and scripts/check-python take.
want_examples() {
  want_python
  # The Python of Debian has it in a package of its own.
  python3 -c 'import tkinter' 2>/dev/null || note_missing python3-tk "python3 -c 'import tkinter'"
  # Qt for X11 loads these.
  want_debian_file libxcb-cursor0 "$(library libxcb-cursor.so.0)"
  want_debian_file libxkbcommon-x11-0 "$(library libxkbcommon-x11.so.0)"
  want_debian_file libxcb-icccm4 "$(library libxcb-icccm.so.4)"
  want_debian_file libxcb-keysyms1 "$(library libxcb-keysyms.so.1)"
  want_debian_file libegl1 "$(library libEGL.so.1)"
}

# Where the system has a library, or its name.
library() {
  local found
  found=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null | sed -n "s|.*\b$1 .*=> ||p" | head -n 1)
  printf '%s\n' "${found:-$1}"
}

need_examples() {
  want_examples
  get_wanted
  need_venv .work/venv-examples examples/requirements.txt || die "pip cannot install examples/requirements.txt"
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

# need_tool NAME VERSION OPTION...: a program from crates.io, in .work/tools/bin. Packages
# named …-cli have a program without that.
need_tool() {
  local name=$1 version=$2
  shift 2
  [ -x ".work/tools/bin/${name%-cli}" ] && return
  say "building $name (once)"
  cargo install "$name" --version "$version" --locked --quiet --root .work/tools "$@"
}
