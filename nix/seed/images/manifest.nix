# The last, small derivation of an image: manifest.json, with the sizes of the files and the closure that only a build
# knows. controller/model/manifest.py reads it.
{ pkgs, lib }:
let
  inherit (builtins) attrNames attrValues concatLists concatMap concatStringsSep map toJSON;
  inherit (lib) mapAttrs unique;
in
{ flavour, roles, metadata, parts, parameters ? [ ] }:
let
  systemOf = role: role.config.system.build.toplevel;
  document = removeAttrs metadata [ "roles" ] // {
    version = 1;
    inherit flavour;
    system = "x86_64-linux";
    packageSource = "seed";
    kernelParameters = unique (parameters ++ concatMap (role: role.config.system.build.kernelParams) (attrValues roles));
    roles = mapAttrs (name: role: {
      toplevel = toString (systemOf role);
      init = "${systemOf role}/init";
      inherit (role.config.system.build) readiness openPorts;
    } // (parts.roles or { }).${name} or { }) roles;
  } // removeAttrs parts [ "roles" ];

  files =
    (if document ? kernel then [ document.kernel ] ++ document.initrd else [ ])
    ++ attrValues (document.images or { })
    ++ concatMap (role: if role ? kernel then [ role.kernel ] ++ role.initrd else [ ]) (attrValues document.roles);
in
pkgs.run {
  name = "nxc-image-${flavour}";
  # Without the two fields that the script adds; it ends with "}".
  document = toJSON document;
  files = unique files;
  exportReferencesGraph = concatLists (lib.imap0 (index: path: [ "closure-${toString index}" path ])
    (unique (map (role: systemOf role) (attrValues roles))));
  passAsFile = [ "document" "files" ];
  script = ''
    mkdir $out
    {
      head -c -1 "$documentPath"
      cat $NIX_BUILD_TOP/closure-* | grep '^/' | sort -u |
        awk 'BEGIN { printf ",\"closure\":[" } { printf "%s\"%s\"", (NR > 1 ? "," : ""), $0 } END { printf "]" }'
      { tr ' ' '\n' < "$filesPath"; echo; } | while read -r file; do [ -z "$file" ] || echo "$(stat -L -c %s "$file") $file"; done |
        awk 'BEGIN { printf ",\"sizes\":{" } { printf "%s\"%s\":%s", (NR > 1 ? "," : ""), $2, $1 } END { printf "}}\n" }'
    } > $out/manifest.json
  '';
}
