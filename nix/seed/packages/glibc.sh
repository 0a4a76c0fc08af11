# libc6, libgcc-s1 and libcrypt1 in one lib/, so that the dynamic loader's own directory has what it loads late.
raw=$NIX_BUILD_TOP/raw
for deb in $debs; do
  mkdir -p $raw
  dpkg-deb -x $deb $raw
done
mkdir -p $out/lib
for dir in lib/x86_64-linux-gnu usr/lib/x86_64-linux-gnu; do
  [ ! -d $raw/$dir ] || cp -a $raw/$dir/. $out/lib/
done
chmod -R u+w $out
# Character sets other than UTF-8 and auditing are not for test nodes.
rm -rf $out/lib/gconv $out/lib/audit $out/lib/*.a
find $out/lib -type l | while read -r link; do
  [ -e "$link" ] || { echo "dangling: $link"; exit 1; }
done
