# Sourced, after lib.sh, by the scripts that run programs for Windows under wine.
wine=/usr/lib/wine/wine64
windows=$PWD/.work/windows
export WINEPREFIX=$windows/prefix WINEDEBUG=-all
export WINEDLLOVERRIDES='mscoree,mshtml=;winedbg.exe=d'
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
    # Standard streams of programs under wine 8 are pipes here, never files.
    "$wine" wineboot --init </dev/null 2>&1 | cat >/dev/null || true
    # Its services go on with their own set-up for a while.
    wine_wait
    [ -d "$system" ] || die "wine64 makes no prefix in $WINEPREFIX"
    # wine 8 says Windows 7, on which Python 3.13 does not start.
    "$wine" reg add 'HKCU\Software\Wine' /v Version /d win10 /f </dev/null 2>&1 | cat >/dev/null
    wine_wait
    touch "$WINEPREFIX/ready"
  fi
  x86_64-w64-mingw32-gcc -shared -O1 -s -o "$system/bcryptprimitives.dll" \
    tests/windows/bcryptprimitives.c -ladvapi32
}
