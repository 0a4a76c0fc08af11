# What the controller evaluates: a request (plain data) to the image's derivation and what the status shows of it.
# Pure and restricted: no <nixpkgs>, no current system, no environment, no fetchers, no import from derivation.
# Messages that are meant for the composition's author begin with "nxc: ", warnings are traces with "nxc-warning: ".
{ request
  # Tests give one of their own.
, packageSource ? (
    if request.packageSource.kind == "seed" then import ./seed { lock = request.packageSource.lock or null; }
    else if request.packageSource.kind == "nixpkgs" then import ./nixpkgs { inherit (request.packageSource) path; }
    else throw "nxc: the package source `${request.packageSource.kind}` is neither seed nor nixpkgs"
  )
}:
let
  inherit (builtins) isAttrs isFunction match pathExists;

  entry = request.entry or "composition.nix";
  setup = request.setup or { };

  # The folder of the entry file: setup.toml stands beside it.
  folder = request.source + (let below = match "(.*)/[^/]*" entry; in if below == null then "" else "/${builtins.head below}");
  file = request.source + "/${entry}";

  written =
    if match "/.*" entry != null || match "(.*/)?[.][.](/.*)?" entry != null
    then throw "nxc: the entry `${entry}` must be a path inside the source"
    else if ! pathExists file
    then throw "nxc: the source has no file `${entry}`: name the composition's file in spec.source.entry"
    else import file;

  # A file with compositions, or the flake.nix of a nixos-compose project.
  isFlake = isAttrs written && isFunction (written.outputs or null) && ! (written ? roles || written ? nodes);
  project =
    if isFlake then import ./language/flake.nix { flake = written; inherit folder; source = packageSource; }
    else { composition = written; setupFile = folder + "/setup.toml"; overlays = [ ]; extraConfigurations = [ ]; flavours = { }; };

  composed = import ./compose.nix {
    source = packageSource;
    inherit (project) composition overlays extraConfigurations flavours;
    inherit (request) flavour;
    select = request.select or "";
    setup = import ./language/setup.nix {
      file = project.setupFile;
      root = folder;
      variant = setup.variant or "";
      parameters = setup.parameters or { };
    };
    root = request.source;
    file = entry;
  };
in
{
  inherit (composed.drv) drvPath outPath;
  inherit (composed) roles testScript rolesDistribution limitations compositions;
}
