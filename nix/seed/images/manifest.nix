# The last, small derivation of an image: manifest.json, with the sizes of the files and the closure that only a build
# knows. controller/model/manifest.py reads it.
{ pkgs, lib }:
let
  inherit (builtins) attrNames attrValues concatMap toJSON;
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
      container = role.config.nxc.container;
    } // (parts.roles or { }).${name} or { }) roles;
  } // removeAttrs parts [ "roles" ];

  files =
    (if document ? kernel then [ document.kernel ] ++ document.initrd else [ ])
    ++ attrValues (document.images or { })
    ++ concatMap (role: if role ? kernel then [ role.kernel ] ++ role.initrd else [ ]) (attrValues document.roles);

  names = attrNames roles;
  graphOf = name: "closure-${name}";
in
pkgs.run {
  name = "nxc-image-${flavour}";
  inherit names;
  # Without the three fields that the script adds; it ends with "}".
  document = toJSON document;
  files = unique files;
  exportReferencesGraph = concatMap (name: [ (graphOf name) (systemOf roles.${name}) ]) names;
  passAsFile = [ "document" "files" ];
  script = ''
    mkdir $out
    paths() { # GRAPH...: their store paths as a JSON list
      cat "$@" | grep '^/' | sort -u | awk 'BEGIN { printf "[" } { printf "%s\"%s\"", (NR > 1 ? "," : ""), $0 } END { printf "]" }'
    }
    {
      head -c -1 "$documentPath"
      printf ',"closure":'
      paths $NIX_BUILD_TOP/closure-*
      printf ',"closures":{'
      comma=
      for role in $names; do
        printf '%s"%s":' "$comma" "$role"
        paths $NIX_BUILD_TOP/closure-$role
        comma=,
      done
      printf '}'
      { tr ' ' '\n' < "$filesPath"; echo; } | while read -r file; do [ -z "$file" ] || echo "$(stat -L -c %s "$file") $file"; done |
        awk 'BEGIN { printf ",\"sizes\":{" } { printf "%s\"%s\":%s", (NR > 1 ? "," : ""), $2, $1 } END { printf "}}\n" }'
    } > $out/manifest.json
  '';
}
