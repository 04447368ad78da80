# Removes the application for this user: uninstall.sh [--yes] [--purge]
# --yes: does not ask. --purge: also what was made in its folder after the installation.
set -eu
yes= purge=
for argument in "$@"; do
  case $argument in
    --yes) yes=1 ;;
    --purge) purge=1 ;;
    *) printf '%s\n' "$0 [--yes] [--purge]" >&2; exit 2 ;;
  esac
done

ask() { # QUESTION
  [ -t 0 ] || return 1
  printf '%s [y/N] ' "$1"
  read -r answer
  case $answer in [yY]*) return 0 ;; *) return 1 ;; esac
}

if [ -z "$yes" ] && ! ask "Remove $title from $folder?"; then
  echo "Nothing was removed; --yes removes it without a question."
  exit 1
fi
if [ -x "$folder/$program" ]; then
  result=0
  if [ -n "$purge" ]; then
    # What it leaves goes, too, below.
    "$folder/$program" --updater uninstall >/dev/null || result=$?
  else
    "$folder/$program" --updater uninstall || result=$?
  fi
  if [ $result -ge 126 ]; then
    echo "$folder/$program cannot be run any more, so nobody knows which files are a release's."
  elif [ $result != 0 ]; then
    exit $result
  fi
fi
rm -rf "$folder/.notsotuf"
if [ -e "$folder/app" ]; then
  if [ -n "$purge" ] || { [ -z "$yes" ] && ask "Remove what was made in $folder/app, too?"; }; then
    rm -rf "$folder/app"
  fi
fi
[ "$(readlink "$link" || true)" != "$folder/$program" ] || rm -f "$link"
rm -f "$entry" "$folder/$program" "$folder/notsotuf.toml" "$folder/root.json"
[ -z "$icon" ] || rm -f "$icon"
rm -f "$folder/uninstall.sh"
# Only if nothing is left in it.
rmdir "$folder" 2>/dev/null || echo "What is left is in $folder; rm -r removes it."
printf '%s is removed.\n' "$title"
