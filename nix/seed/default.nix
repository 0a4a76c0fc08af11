# The package source "seed": Debian's packages, a module system with NixOS's option names, and images
# that boot in seconds. What a package source gives stands in nix/README.md.
{ lock ? null }:
let
  lib = import ./lib;
  system = "x86_64-linux";
  modulesPath = ./modules;
  packages = overlays: import ./packages ({ inherit overlays lib; } // (if lock == null then { } else { inherit lock; }));
  images = pkgs: import ./images { inherit pkgs lib; };

  evalRole = { name, pkgs, modules, specialArgs ? { } }:
    let
      scope = { role = name; hint = import ./modules/absent.nix lib; };
      evaluated = lib.evalModules {
        inherit scope;
        modules = import ./modules ++ modules;
        specialArgs = { inherit modulesPath; } // specialArgs;
        args = { basePackages = pkgs; role = name; };
      };
      inherit (evaluated) config options;
      failed = lib.filter (assertion: !assertion.assertion) config.assertions;
      demand =
        if failed == [ ] then x: x
        else lib.blame.say scope "failed assertion${lib.optionalString (lib.length failed > 1) "s"}:${lib.concatMapStrings (a: "\n- ${a.message}") failed}";
      tell = x: lib.foldl' (x: warning: lib.warn "role \"${name}\": ${warning}" x) x (lib.unique config.warnings);
    in
    {
      inherit options;
      # Assertions are about what is built: configurations may look at each other before they hold.
      config = config // {
        system = config.system // {
          build = config.system.build // { toplevel = demand (tell config.system.build.toplevel); };
        };
      };
    };
in
{
  name = "seed";
  inherit system lib modulesPath evalRole;
  pkgs = packages;
  # The names of flavours do not depend on the packages, which an image is given.
  flavours = lib.mapAttrs
    (name: flavour: {
      inherit (flavour) description module;
      image = { pkgs, roles, metadata }@arguments: (images pkgs).${name}.image arguments;
    })
    (images (packages [ ]));
}
