raw=$NIX_BUILD_TOP/raw
for deb in $debs; do
  mkdir -p $raw
  dpkg-deb -x $deb $raw
done
mkdir -p $out/bin $out/lib
cp -a $raw/usr/lib/x86_64-linux-gnu/libstdc++.so.6* $out/lib/
cp $raw/usr/bin/patchelf $out/bin/patchelf
chmod -R u+w $out
start() { $glibc/lib/ld-linux-x86-64.so.2 --library-path $glibc/lib:$raw/usr/lib/x86_64-linux-gnu $raw/usr/bin/patchelf "$@"; }
start --set-rpath $glibc/lib $(readlink -f $out/lib/libstdc++.so.6)
start --set-interpreter $glibc/lib/ld-linux-x86-64.so.2 --set-rpath $out/lib:$glibc/lib $out/bin/patchelf
$out/bin/patchelf --version
