# The package source `nixpkgs`: NixOS itself. `path` is a nixpkgs (from 24.11 on; Nix >= 2.18 evaluates it).
{ path, system ? "x86_64-linux" }:
let
  lib = import (path + "/lib");

  evaluate = modules: specialArgs:
    import (path + "/nixos/lib/eval-config.nix") {
      inherit lib specialArgs;
      system = null; # the package set says it
      modules = modules;
    };

  # Roles share one package set, which saves a second each. A role that configures its own (nixpkgs.config) gets it.
  evalRole = { name, pkgs, modules, specialArgs ? { } }:
    let
      shared = evaluate (modules ++ [{ nixpkgs.pkgs = pkgs; }]) specialArgs;
      own = evaluate (modules ++ [{ nixpkgs = { hostPlatform = system; inherit (pkgs) overlays; }; }]) specialArgs;
    in
    if shared.options.nixpkgs.config.definitions == [ ] then shared else own;
in
{
  name = "nixpkgs";
  inherit lib system evalRole;
  # What nixos-compose gives compositions; within a role, `modulesPath` is NixOS's own.
  modulesPath = "${toString path}/nixos";
  pkgs = overlays: import path { inherit system overlays; config = { }; };
  flavours = import ../flavours { inherit lib evalRole; };
}
