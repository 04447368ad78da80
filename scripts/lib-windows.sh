# Sourced, after lib.sh, by the scripts that run programs for Windows under wine.
wine=/usr/lib/wine/wine64
windows=$PWD/.work/windows
export WINEPREFIX=$windows/prefix WINEDEBUG=-all
# Of ucrtbase.dll there is one of our own, see need_prefix.
export WINEDLLOVERRIDES='mscoree,mshtml=;winedbg.exe=d;ucrtbase=n,b'
unset DISPLAY WAYLAND_DISPLAY

# wine for 64-bit programs, and a compiler for the little that it lacks.
want_wine() {
  want_debian_file wine64 "$wine"
  want_debian gcc-mingw-w64-x86-64 x86_64-w64-mingw32-gcc
}

need_wine() {
  want_wine
  get_wanted
}

# Waits until nothing runs in the prefix.
wine_wait() {
  "$(command -v wineserver || echo /usr/lib/wine/wineserver64)" --wait
}

# A prefix in .work that calls itself Windows 10, with what wine 8 lacks.
need_prefix() {
  local system=$WINEPREFIX/drive_c/windows/system32
  if [ ! -f "$WINEPREFIX/ready" ]; then
    say "making a wine prefix"
    rm -rf "$WINEPREFIX"
    mkdir -p "$windows"
    # wine 8 says Windows 7, on which Python 3.13 does not start.
    { first_start && "$wine" reg add 'HKCU\Software\Wine' /v Version /d win10 /f </dev/null 2>&1 | cat; } \
      > "$windows/prefix.log" 2>&1 && [ -f "$system/kernel32.dll" ] || {
      cat "$windows/prefix.log" >&2
      die "wine64 makes no prefix in $WINEPREFIX ($(($(free_kilobytes "$windows") >> 10)) MB are free there)"
    }
    wine_wait
    touch "$WINEPREFIX/ready"
  fi
  x86_64-w64-mingw32-gcc -shared -O1 -s -o "$system/bcryptprimitives.dll" \
    tests/windows/bcryptprimitives.c -ladvapi32
  need_complex_numbers "$system"
}

# Has wine make the prefix. Of what it says on the way much is of no consequence.
first_start() {
  # Standard streams of programs under wine 8 are pipes here, never files.
  "$wine" wineboot --init </dev/null 2>&1 | cat || true
  # Its services go on with their own set-up for a while.
  wine_wait
}

# A ucrtbase.dll in SYSTEM that has what tests/windows/ucrtbase.c has; for all else it
# names a copy of wine's, which wine does not know as its own any more.
need_complex_numbers() { # SYSTEM
  local theirs ours=$1/ucrtbase.dll work
  [ "$ours" -nt tests/windows/ucrtbase.c ] && [ "$ours" -nt scripts/lib-windows.sh ] &&
    grep -q ucrtwine "$ours" && return
  theirs=$(find /usr/lib -path '*x86_64-windows/ucrtbase.dll' -print -quit 2>/dev/null)
  [ -n "$theirs" ] || die "wine has no ucrtbase.dll"
  work=$(mktemp -d)
  x86_64-w64-mingw32-gcc -O1 -c -o "$work/ours.o" tests/windows/ucrtbase.c
  x86_64-w64-mingw32-nm --defined-only "$work/ours.o" |
    sed -n 's/.* T ms_//p' | sort > "$work/ours"
  x86_64-w64-mingw32-objdump -p "$theirs" |
    sed -n '/Name Pointer\] Table/,/^$/s/^\t\[ *[0-9]*\] //p' | sort > "$work/theirs"
  {
    printf 'LIBRARY ucrtbase.dll\nEXPORTS\n'
    sed 's/.*/"&" = ms_&/' "$work/ours"
    comm -13 "$work/ours" "$work/theirs" | sed 's/.*/"&" = ucrtwine.&/'
  } > "$work/ucrtbase.def"
  # Its mark is in the first bytes after the header of MS-DOS.
  cp "$theirs" "$work/ucrtwine.dll"
  head -c 32 /dev/zero | dd of="$work/ucrtwine.dll" bs=1 seek=64 conv=notrunc status=none
  x86_64-w64-mingw32-gcc -shared -s -static-libgcc -o "$work/ucrtbase.dll" \
    "$work/ours.o" "$work/ucrtbase.def"
  mv -f "$work/ucrtwine.dll" "$work/ucrtbase.dll" "$1"
  rm -rf "$work"
}
