
usage() {
  cat <<END
Installs $title $version for this user: $0 [--prefix DIR]
DIR is ~/.local if it is not given. To remove it: DIR/lib/$app/uninstall.sh
END
}

die() { printf '%s\n' "$*" >&2; exit 1; }

# With it, cd goes elsewhere and says so.
unset CDPATH

prefix= data=
while [ $# -gt 0 ]; do
  case $1 in
    --prefix) [ $# -gt 1 ] || die "--prefix needs a folder"; prefix=$2; shift 2 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
if [ -z "$prefix" ]; then
  prefix=${HOME:?}/.local
  [ -O "$HOME" ] ||
    die "$HOME belongs to another user; run this as that user, or choose a place of yours with --prefix"
  data=${XDG_DATA_HOME-}
fi
mkdir -p "$prefix"
prefix=$(cd "$prefix" && pwd)
[ -O "$prefix" ] ||
  die "$prefix belongs to another user; run this as that user, or choose a place of yours with --prefix"
data=${data:-$prefix/share}
here=$(cd "$(dirname "$0")" && pwd)
folder=$prefix/lib/$app
link=$prefix/bin/$command
entry=$data/applications/$app.desktop

if [ -e "$link" ] || [ -L "$link" ]; then
  [ "$(readlink "$link" || true)" = "$folder/$program" ] ||
    die "$link is there already, and is not of this application; remove it, or choose another place with --prefix"
fi
for place in "$prefix/lib" "$folder"; do
  if [ -e "$place" ] || [ -L "$place" ]; then
    [ -O "$place" ] || die "$place belongs to another user; remove it, or choose another place with --prefix"
  fi
done
mkdir -p "$folder" "$prefix/bin" "$data/applications"
if [ -e "$folder/app" ]; then
  # By the new updater: the one that is there may not know the command.
  cp -p "$here/files/$program" "$folder/setup-$program"
  result=0
  "$folder/setup-$program" --updater uninstall --keep-state >/dev/null || result=$?
  rm -f "$folder/setup-$program"
  [ $result = 0 ] || exit $result
fi
cp -Rp "$here/files/." "$folder"
ln -sf "$folder/$program" "$link"

# The quoting of the Desktop Entry Specification.
escaped=$(printf '%s' "$folder/$program" | sed -e 's/[\\"`$]/\\&/g' -e 's/\\/\\\\/g' -e 's/%/%%/g')
{
  cat "$here/entry.desktop"
  printf 'Exec="%s"\n' "$escaped"
} > "$folder/new.desktop"
# In place of what is there, and not into what that may lead to.
mv -f "$folder/new.desktop" "$entry"
icon=
if [ -n "$icon_name" ]; then
  icon=$data/icons/hicolor/$icon_folder/apps/$icon_name
  mkdir -p "$(dirname "$icon")"
  cp "$here/$icon_name" "$folder/new.icon"
  mv -f "$folder/new.icon" "$icon"
fi

quoted() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"; }
{
  printf '#!/bin/sh\n'
  for name in title program folder link entry icon; do
    eval "value=\$$name"
    printf '%s=%s\n' "$name" "$(quoted "$value")"
  done
  cat "$here/uninstall.sh"
} > "$folder/uninstall.sh"
chmod 755 "$folder/uninstall.sh"
update-desktop-database -q "$data/applications" 2>/dev/null || true
printf '%s\n' "$title $version is in $folder; $link starts it."
case :$PATH: in
  *:"$prefix/bin":*) ;;
  *) printf '%s\n' "$prefix/bin is not in PATH." ;;
esac
