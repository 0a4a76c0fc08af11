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
  inherit (builtins) match pathExists;

  entry = request.entry or "composition.nix";
  setup = request.setup or { };
  select = request.select or "";

  # The folder of the entry file: setup.toml stands beside it.
  folder = let below = match "(.*)/[^/]*" entry; in if below == null then "" else "/${builtins.head below}";
  file = request.source + "/${entry}";

  composition =
    if match "/.*" entry != null || match "(.*/)?[.][.](/.*)?" entry != null
    then throw "nxc: the entry `${entry}` must be a path inside the source"
    else if ! pathExists file
    then throw "nxc: the source has no file `${entry}`: name the composition's file in spec.source.entry"
    else import file;

  composed = import ./compose.nix {
    source = packageSource;
    inherit composition select;
    inherit (request) flavour;
    setup = import ./language/setup.nix {
      file = request.source + folder + "/setup.toml";
      root = request.source + folder;
      variant = setup.variant or "";
      parameters = setup.parameters or { };
    };
    root = request.source;
    file = entry;
  };
in
{
  inherit (composed.drv) drvPath outPath;
  inherit (composed) roles testScript rolesDistribution compositions;
}
