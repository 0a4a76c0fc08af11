# docs/seed-options.md, from the declarations:
#   nix-instantiate --store dummy:// --eval --strict --json nix/seed/documentation.nix |
#     python3 -c 'import json, sys; sys.stdout.write(json.load(sys.stdin))' > docs/seed-options.md
let
  source = import ./. { };
  inherit (source) lib;
  role = source.evalRole { name = "role"; pkgs = source.pkgs [ ]; modules = [ ]; };

  all = lib.filter (option: option.visible == true && !option.internal) (lib.optionAttrSetToDocList role.options);
  # Defaults that are store paths would change with each of Debian's updates; declare a defaultText for those.
  cell = text: lib.replaceStrings [ "|" "\n" ] [ "\\|" " " ] text;
  code = text: if text == "" then "" else "`${cell text}`";
  default = option:
    let text = lib.concatStringsSep " " (lib.filter (part: builtins.isString part && part != "") (builtins.split "[[:space:]]+" (option.default or ""))); in
    if lib.hasInfix builtins.storeDir text || builtins.stringLength text > 60 then "…" else text;

  inert = option: lib.hasPrefix "Without effect" option.description;
  section = option: lib.concatStringsSep "." (lib.take (if lib.elem (lib.head option.loc) [ "services" "programs" "systemd" ] then 2 else 1) option.loc);
  sections = lib.groupBy section all;
  row = option: "| ${code option.name} | ${code option.type} | ${code (default option)} | ${cell option.description} |\n";
in
''
  # Options of the seed

  <!-- Written by nix/seed/documentation.nix from nix/seed/modules; change those instead. -->

  ${toString (lib.length all)} options, with NixOS's names and meanings; ${toString (lib.count inert all)} of them are accepted without effect, and say so.
  What of NixOS is missing or not enforced stands in [limits.md](limits.md). "…" is a long default.

''
+ lib.concatMapStrings
  (name: ''
    ## ${name}

    | option | type | default | meaning |
    |---|---|---|---|
    ${lib.concatMapStrings row sections.${name}}
  '')
  (lib.attrNames sections)
