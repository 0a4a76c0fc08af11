# A role's whole system as one store path (one derivation a role, for each costs time):
#   init              PID 1 of this role (in a container it is started as such)
#   role              its name
#   units/NAME        services, targets and mounts; unit.nix has the format
#   etc/, etc.list    files for /etc; the list: path, "symlink" or mode, user, group
#   accounts/         passwd, group, shadow, homes, authorized-keys/USER
#   tmpfiles sysctl kernel-modules kernel-parameters interfaces    a setting a line
#   scripts/NAME      script, preStart … of services
#   post-boot host-key    scripts
#   sw/bin            the commands of environment.systemPackages, and those that every system has
# init/nxc/boot/system.lua reads it.
{ lib, pkgs, config, name }:
let
  inherit (builtins) attrNames concatStringsSep filter hashString map;
  inherit (lib) mapAttrs mapAttrsToList optionalAttrs;
  inherit (config.system) build;

  runtime = import ./system/runtime.nix { inherit pkgs; };
  renderUnit = import ./system/unit.nix { inherit lib; };
  mounts = import ./system/mounts.nix { inherit lib pkgs; } build.fileSystems;

  openssh = config.services.openssh or { enable = true; };
  units =
    mounts
    // optionalAttrs (openssh.enable or true) { "sshd.service" = runtime.sshd (openssh.ports or [ 22 ]); }
    // build.units;

  listOf = entries: concatStringsSep "" (map (entry: entry + "\n") entries);

  addresses = lib.concatLists (mapAttrsToList (card: given: map (address: "${card} ${address}") (given.addresses or [ ])) build.interfaces);

  texts = filter (entry: entry.text or null != null) build.etc;
  sources = filter (entry: entry.text or null == null) build.etc;

  files =
    mapAttrsToList (unit: record: { path = "units/${unit}"; text = renderUnit record; }) units
    ++ map (entry: { path = "etc/${entry.target}"; inherit (entry) text; }) texts
    ++ mapAttrsToList (user: keys: { path = "accounts/authorized-keys/${user}"; text = listOf keys; }) build.accounts.authorizedKeys
    ++ [
      { path = "role"; text = name + "\n"; }
      { path = "etc.list"; text = listOf (map (entry: "${entry.target}\t${entry.mode or "symlink"}\t${entry.user or "root"}\t${entry.group or "root"}") build.etc); }
      { path = "accounts/passwd"; text = build.accounts.passwd; }
      { path = "accounts/group"; text = build.accounts.group; }
      { path = "accounts/shadow"; text = build.accounts.shadow; }
      { path = "accounts/homes"; text = listOf (map (home: "${home.path}\t${home.user}\t${home.group}\t${home.mode}") build.accounts.homes); }
      { path = "tmpfiles"; text = listOf build.tmpfiles; }
      { path = "sysctl"; text = listOf (mapAttrsToList (key: value: "${key}=${value}") build.sysctl); }
      { path = "kernel-modules"; text = listOf build.kernelModules; }
      { path = "kernel-parameters"; text = listOf build.kernelParams; }
      { path = "interfaces"; text = listOf addresses; }
      { path = "readiness"; text = listOf build.readiness; }
    ];

  scripts =
    [
      {
        path = "init";
        text = ''
          #!${runtime.interpreter}
          jit.off() -- nothing here runs long enough to gain
          package.path = "${runtime.code}/?.lua"
          require("nxc.main").run { toplevel = "${placeholder "out"}", shell = "${runtime.shell}", modules = {}, dhcp_script = "${runtime.code}/udhcpc.sh" }
        '';
      }
    ]
    ++ mapAttrsToList (file: text: { path = "scripts/${file}"; inherit text; }) build.scripts
    ++ (if openssh.enable or true then [ { path = "host-key"; text = runtime.hostKey; } ] else [ ])
    ++ (if build.postBootCommands == "" then [ ] else [ { path = "post-boot"; text = "#!${pkgs.busybox}/bin/sh\n${build.postBootCommands}\n"; } ]);

  # All texts in one, parted by lines that occur in none of them.
  marker = "@@ ${hashString "sha256" (builtins.unsafeDiscardStringContext (concatStringsSep "\n" (map (file: file.text) (files ++ scripts))))} ";
  bundle = concatStringsSep "" (map (file: "${marker}${file.path}\n${file.text}\n") (files ++ scripts));

  # The first of two commands with one name is taken.
  packages = [ runtime.tools ] ++ build.packages ++ [ pkgs.busybox ];
in
pkgs.run {
  name = "system-${name}";
  inherit bundle marker;
  passAsFile = [ "bundle" ];
  executables = map (file: file.path) scripts;
  links = map (entry: "etc/${entry.target} ${entry.source}") sources;
  inherit packages;
  passthru = {
    inherit (build) kernel kernelModules;
    # The derivations that its texts and links mention: what it may refer to at run time.
    mentioned = builtins.getContext (bundle + concatStringsSep " " (map (entry: entry.source) sources ++ map toString packages));
  };
  script = builtins.readFile ./system/build.sh;
}
