# Layers: compressed cpio archives that stand one after the other in an initrd. A package's layer depends on that package
# alone, so compositions share it and a change elsewhere does not make it anew.
{ pkgs, lib }:
let
  inherit (builtins) attrNames attrValues concatMap genericClosure getContext hashString head listToAttrs map match unsafeDiscardStringContext;
  inherit (lib) filter;

  # zstd -3 on one thread: the same bytes everywhere, and twice as fast as what a deeper level gains by size.
  level = "-3";

  archive = builtins.readFile ./archive.sh;

  layer = path: pkgs.run {
    # The name without hash and dots, for people who look at a list of layers.
    name = "layer-${unsafeDiscardStringContext (path.pname or path.name or "path")}.cpio.zst";
    nativeBuildInputs = [ pkgs.zstd ];
    inherit path level;
    script = ''
      ${archive}
      cd /
      find "''${path#/}" | archive / > $out
    '';
  };

  # Packages of the seed by the name of their derivation: what a string's context can be looked up in.
  byName = listToAttrs (map (name: { name = pkgs.storeName "${name}-${pkgs.${name}.version or ""}"; value = name; }) pkgs.debianNames);
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
  inherit layer packagesOf;

  # A layer of whatever `script` puts into the current directory.
  layerOf = arguments: pkgs.run (arguments // {
    name = "layer-${arguments.name}.cpio.zst";
    nativeBuildInputs = [ pkgs.zstd ];
    inherit level;
    script = ''
      ${archive}
      mkdir $NIX_BUILD_TOP/root
      cd $NIX_BUILD_TOP/root
      ${arguments.script}
      cd $NIX_BUILD_TOP/root
      find . -mindepth 1 | archive . > $out
    '';
  });
}
