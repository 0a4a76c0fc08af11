# archive ROOT: the files named on standard input (relative to ROOT, the current directory) as a cpio archive, compressed,
# padded to four bytes as the kernel wants what it finds one after the other. The same files give the same bytes: sorted,
# no device or inode numbers, owner root, time as Nix sets it.
archive() {
  # A directory that is not there yet is not made by the kernel: the parents come first.
  { [ "$1" != / ] || printf 'nix\nnix/store\n'; cat; } | sed 's#^\./##' | LC_ALL=C sort -u > $NIX_BUILD_TOP/names
  [ "$1" = / ] || while read -r name; do touch -h -d @1 "$name"; done < $NIX_BUILD_TOP/names
  busybox cpio -o -H newc -R 0:0 --ignore-devno --renumber-inodes < $NIX_BUILD_TOP/names > $NIX_BUILD_TOP/archive.cpio
  zstd -q -T1 $level < $NIX_BUILD_TOP/archive.cpio > $NIX_BUILD_TOP/archive.zst
  size=$(stat -c %s $NIX_BUILD_TOP/archive.zst)
  cat $NIX_BUILD_TOP/archive.zst
  head -c $(((4 - size % 4) % 4)) /dev/zero
  rm $NIX_BUILD_TOP/archive.cpio $NIX_BUILD_TOP/archive.zst
}
