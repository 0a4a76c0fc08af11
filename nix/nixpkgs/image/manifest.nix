# The manifest of an image, as a derivation: $out/manifest.json, read by controller/model/manifest.py.
# Everything that it names is in its closure, so one garbage collection root holds the image.
{ lib, pkgs }:
{ roles, metadata, files ? { } }:
let
  describe = _: role: {
    toplevel = "${role.config.system.build.toplevel}";
    init = "${role.config.system.build.toplevel}/init";
    inherit (role.config.nxc) readiness openPorts container;
  };
  own = files.roles or { };
  document = metadata // removeAttrs files [ "roles" ] // {
    roles = lib.mapAttrs (name: role: describe name role // own.${name} or { }) roles;
  };
  paths = lib.mapAttrsToList (_: role: role.config.system.build.toplevel) roles;
  # The files that a boot loader opens: their sizes stand in the manifest.
  boot = lib.unique (
    lib.optional (files ? kernel) files.kernel ++ files.initrd or [ ] ++ lib.attrValues (files.images or { })
    ++ lib.concatMap (role: lib.optional (role ? kernel) role.kernel ++ role.initrd or [ ]) (lib.attrValues own)
  );
in
pkgs.runCommand "nxc-image-${metadata.flavour}"
{
  nativeBuildInputs = [ pkgs.jq ];
  closure = pkgs.closureInfo { rootPaths = paths; };
  closures = lib.mapAttrsToList (name: role: "${name}=${pkgs.closureInfo { rootPaths = [ role.config.system.build.toplevel ]; }}") roles;
  document = builtins.toJSON document;
  passAsFile = [ "document" ];
  files = boot;
  preferLocalBuild = true;
} ''
  for file in $files; do
    jq -n --arg file "$file" --argjson size "$(stat -L -c %s "$file")" '{($file): $size}'
  done | jq -s 'add // {}' > sizes
  jq -R . "$closure/store-paths" | jq -s 'sort' > paths
  for role in $closures; do
    jq -R . "''${role#*=}/store-paths" | jq -s --arg role "''${role%%=*}" '{($role): sort}'
  done | jq -s 'add // {}' > closures
  mkdir $out
  jq --sort-keys --slurpfile sizes sizes --slurpfile paths paths --slurpfile closures closures \
    '. + {sizes: $sizes[0], closure: $paths[0], closures: $closures[0]}' \
    "$documentPath" > $out/manifest.json
''
