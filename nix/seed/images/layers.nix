# Layers: compressed cpio archives that stand one after the other in an initrd. A package's layer depends on that package
# alone, so compositions share it and a change elsewhere does not make it anew.
{ pkgs, lib }:
let
  inherit (builtins) attrNames attrValues concatMap getContext head listToAttrs map match unsafeDiscardStringContext;

  # zstd -3 on one thread: the same bytes everywhere. (docs/images.md has the measurements.)
  level = "-3";

  archive = "${builtins.path { path = ./archive.lua; name = "archive.lua"; }}";

  # A derivation that compresses the trees which `list` prints: name in the archive, a tab, place. What stands one after the
  # other in an initrd begins at a multiple of four bytes.
  compressed = arguments: pkgs.run (arguments // {
    name = "layer-${arguments.name}.cpio.zst";
    inherit archive level;
    lua = "${pkgs.luajit}/bin/luajit";
    zstd = "${pkgs.zstd}/bin/zstd";
    script = ''
      list() {
      ${arguments.list}
      }
      list | $lua -joff $archive | $zstd -q -T1 $level > $NIX_BUILD_TOP/layer
      size=$(stat -c %s $NIX_BUILD_TOP/layer)
      { cat $NIX_BUILD_TOP/layer; head -c $(((4 - size % 4) % 4)) /dev/zero; } > $out
    '';
  });

  layer = path: compressed {
    # A name for people who look at a list of layers.
    name = unsafeDiscardStringContext (path.pname or path.name or "path");
    inherit path;
    list = ''printf '%s\t%s\n' "''${path#/}" "$path"'';
  };

  # Packages of the seed (nixpkgs' names too, for some are several of Debian's) by the name of their derivation: what a
  # string's context can be looked up in.
  names = pkgs.debianNames ++ attrNames (builtins.fromJSON (builtins.readFile ../packages/aliases.json));
  byName = listToAttrs (map (name: { name = pkgs.storeName "${name}-${pkgs.${name}.version or ""}"; value = name; }) names);
  packageOf = drvPath:
    let
      derivation = match "[^-]*-(.*)[.]drv" drvPath;
      name = if derivation == null then null else byName.${head derivation} or null;
    in
    # An overlay may have made another package of that name.
    if name != null && unsafeDiscardStringContext pkgs.${name}.drvPath == drvPath then [ pkgs.${name} ] else [ ];

  # The seed's packages at run time of systems (see system.nix, `mentioned`), each once.
  packagesOf = systems:
    let
      mentioned = attrNames (builtins.foldl' (all: system: all // system.mentioned) { } systems);
      packages = concatMap packageOf mentioned ++ [ pkgs.busybox pkgs.luajit pkgs.openssh-sftp-server ];
      every = concatMap (package: package.runtimeDeps) packages;
    in
    attrValues (listToAttrs (map (package: { name = unsafeDiscardStringContext package.outPath; value = package; }) every));
in
{
  inherit compressed layer packagesOf;
}
