# The NixOS that boots every role of an image: its kernel, and an initrd that finds the role.
# It depends on the flavour, and on the roles only where they want another kernel or more of the initrd.
{ lib, evalRole, modules, pkgs, roles }:
let
  inherit (lib) attrNames attrValues concatMap filterAttrs head mapAttrs unique;

  configs = mapAttrs (_: role: role.config) roles;
  every = f: unique (concatMap f (attrValues configs));
  # A role's initrd is not built (modules/role.nix), but what it asks of one is asked of the common one.
  wishes = {
    boot.initrd.availableKernelModules = every (c: c.boot.initrd.availableKernelModules);
    boot.initrd.kernelModules = every (c: c.boot.initrd.kernelModules);
  };
  withKernel = config:
    (evalRole {
      name = "base";
      inherit pkgs;
      modules = modules ++ [ wishes { boot.kernelPackages = lib.mkForce config.boot.kernelPackages; } ];
    }).config;

  kernelOf = config: config.boot.kernelPackages.kernel;
  first = configs.${head (attrNames configs)};
  different = filterAttrs (_: config: kernelOf config != kernelOf first) configs;

  # Parameters that every role agrees on: the boot loader gets one line for all of them.
  shared = lib.foldl' (agreed: config: lib.intersectLists agreed config.boot.kernelParams) first.boot.kernelParams (attrValues configs);
  lost = filterAttrs (_: parameters: parameters != [ ])
    (mapAttrs (_: config: lib.subtractLists shared config.boot.kernelParams) configs);
in
rec {
  config = withKernel first;

  # What systems have in common: all of one but for its kernel's image and its initrd, which come by themselves.
  common = [ config.system.build.etc config.system.path config.system.modulesTree config.systemd.package ];

  otherKernels = mapAttrs (_: withKernel) different;

  kernelParameters =
    let
      role = head (attrNames lost);
      warning = "nxc-warning: role \"${role}\": boot.kernelParams (${toString lost.${role}}) differ from those of other roles; one image has one command line, so they are left out: use Deployment.spec.kernelParameters";
    in
    if lost == { } then shared else builtins.trace warning shared;

  bootFiles = system: layers: {
    kernel = "${kernelOf system}/${system.system.boot.loader.kernelFile}";
    kernelVersion = (kernelOf system).modDirVersion;
    initrd = [ "${system.system.build.initialRamdisk}/${system.system.boot.loader.initrdFile}" ] ++ map toString layers;
  };

  # Which system a role has, for stage 1. The image's closure holds them by the manifest.
  rolesFile = pkgs.writeText "roles"
    (lib.concatStrings (lib.mapAttrsToList (name: c: "${name} ${c.system.build.toplevel}\n") configs));
}
