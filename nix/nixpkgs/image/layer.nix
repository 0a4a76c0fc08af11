# Parts of an initrd: stores as squashfs, and archives that hold them.
{ pkgs }:
{
  # The closure of `roots` but for that of `without`, as one file.
  store = { name, roots, without ? [ ], registration ? false }:
    pkgs.runCommand "${name}.squashfs"
      {
        nativeBuildInputs = [ pkgs.squashfsTools ];
        closure = pkgs.closureInfo { rootPaths = roots; };
        without = pkgs.closureInfo { rootPaths = without; };
        __structuredAttrs = true;
        unsafeDiscardReferences.out = true; # it holds what it needs
      } ''
      comm -23 <(sort -u "$closure/store-paths") <(sort -u "$without/store-paths") > paths
      ${pkgs.lib.optionalString registration "cp $closure/registration .nxc-registration; echo .nxc-registration >> paths"}
      # The contents are compressed once: the archive around them is not.
      SOURCE_DATE_EPOCH=1 mksquashfs $(cat paths) "''${outputs[out]}" \
        -no-hardlinks -keep-as-directory -all-root -root-mode 0755 -b 1048576 \
        -comp zstd -Xcompression-level 6 -no-progress -processors "$NIX_BUILD_CORES"
    '';

  # An archive that the kernel unpacks over the initrd: path in it -> file.
  archive = name: files:
    pkgs.runCommand "${name}.cpio"
      {
        nativeBuildInputs = [ pkgs.cpio ];
        targets = builtins.attrNames files;
        sources = builtins.attrValues files;
        __structuredAttrs = true;
        unsafeDiscardReferences.out = true;
      } ''
      mkdir root
      for i in "''${!targets[@]}"; do
        mkdir -p "root/$(dirname "''${targets[i]}")"
        cp "''${sources[i]}" "root/''${targets[i]}"
      done
      cd root
      find . -exec touch -h -d @1 {} +
      find . -mindepth 1 -print0 | sort -z | cpio --quiet -o -H newc -R +0:+0 --reproducible --null > "''${outputs[out]}"
    '';
}
