# Writes a role's system to $out: see ../system.nix.
mkdir -p $out/etc $out/sw/bin $out/units
# (There is no /bin/sh for awk's system() in a build.)
grep -F "$marker" "$bundlePath" | cut -c$((${#marker} + 1))- | sed -n 's#/[^/]*$##p' | sort -u | while read -r directory; do
  mkdir -p "$out/$directory"
done

# A file begins after its marker line; its text ends before the newline that ends the bundle's part.
awk -v marker="$marker" -v out="$out" '
  index($0, marker) == 1 {
    if (file) close(file)
    file = out "/" substr($0, length(marker) + 1)
    printf "" > file
    first = 1
    next
  }
  { if (!first) printf "\n" > file; printf "%s", $0 > file; first = 0 }
' "$bundlePath"
for path in $executables; do chmod 755 "$out/$path"; done

set -- $links
while [ $# -gt 0 ]; do
  mkdir -p "$(dirname "$out/$1")"
  ln -s "$2" "$out/$1"
  shift 2
done

for package in $packages; do
  [ -d "$package/bin" ] || continue
  missing=
  for file in "$package"/bin/*; do
    [ -L "$out/sw/bin/${file##*/}" ] || missing="$missing $file"
  done
  [ -z "$missing" ] || ln -s $missing $out/sw/bin/
done
for package in $packages; do
  for directory in "$package"/share/*; do
    [ -d "$directory" ] || continue
    mkdir -p $out/sw/share
    [ -L "$out/sw/share/${directory##*/}" ] || ln -s "$directory" $out/sw/share/
  done
done
