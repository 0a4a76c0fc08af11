# What nixpkgs' users reach for besides packages: mkDerivation for things that need no compiler, a few formats, and a
# kind word where there is nothing.
{ locked }:
final: prev:
let
  inherit (builtins)
    functionArgs
    isFunction
    listToAttrs
    toJSON
    ;

  # The phases of nixpkgs' generic builder, in bash, with the hooks before and after each; no configure, no fixup but
  # for the shebangs of programs.
  mkDerivation =
    arguments:
    let
      given = if isFunction arguments then arguments (given // { finalPackage = package; }) else arguments;
      package = final.run (
        given
        // {
          name = given.name or "${given.pname}-${given.version}";
          bash = "${final.bash}/bin/bash";
          buildCommand = given.buildCommand or "";
          nativeBuildInputs = (given.nativeBuildInputs or [ ]) ++ initialPath;
          script = ''exec $bash -eu -o pipefail ${./phases.sh}'';
        }
      );
    in
    package
    // (if given ? pname then { inherit (given) pname version; } else { });

  # The tools that nixpkgs' stdenv has as well; `patch` and `unzip` are busybox's.
  initialPath = [
    final.bash
    final.coreutils
    final.findutils
    final.sed
    final.grep
    final.gawk
    final.diffutils
    final.tar
    final.gzip
    final.bzip2
    final.xz-utils
  ];

  stdenv = {
    inherit mkDerivation;
    shell = "${final.bash}/bin/bash";
    hostPlatform = platform;
    buildPlatform = platform;
    targetPlatform = platform;
    isLinux = true;
    isDarwin = false;
    isx86_64 = true;
    cc = throw "nxc: pkgs.stdenv.cc: the package source \"seed\" has no compiler; use the package source nixpkgs";
  };
  platform = {
    system = "x86_64-linux";
    isLinux = true;
    isDarwin = false;
    isx86_64 = true;
    isAarch64 = false;
  };

  absent = reason: names: listToAttrs (map (name: { inherit name; value = throw "nxc: pkgs.${name}: ${reason}"; }) names);

  json = {
    type = throw "nxc: pkgs.formats: the package source \"seed\" has no types for formats";
    generate = name: value: final.writeText name (toJSON value);
  };
in
{
  inherit stdenv;
  stdenvNoCC = stdenv;
  hostPlatform = platform;
  runtimeShell = "${final.bash}/bin/bash";

  # JSON is YAML (YAML 1.2, section 1.3).
  formats = {
    json = _: json;
    yaml = _: json;
  };

  emptyFile = final.writeText "empty-file" "";
  emptyDirectory = final.run {
    name = "empty-directory";
    script = "mkdir $out";
  };
  writeTextDir =
    path: text:
    final.writeTextFile {
      name = baseNameOf path;
      inherit text;
      destination = "/${path}";
    };
  writers = {
    writeBash = final.writeShellScript;
    writeBashBin = final.writeShellScriptBin;
    writeText = final.writeText;
    writeJSON = name: value: final.writeText name (toJSON value);
    writePython3 = name: _: text: final.writeScript name "#!${final.python3}/bin/python3\n${text}";
    writePython3Bin = name: _: text: final.writeScriptBin name "#!${final.python3}/bin/python3\n${text}";
  };
  # A function of a package, called again with other arguments; packages of Debian have none.
  makeOverridable =
    f: arguments:
    let
      result = f arguments;
    in
    result
    // {
      override =
        change: final.makeOverridable f (arguments // (if isFunction change then change arguments else change));
      overrideArguments = functionArgs f;
    };
}
// absent
  "the package source \"seed\" fetches nothing but its own packages; put the file beside the composition, or use the package source nixpkgs"
  [
    "fetchurl"
    "fetchzip"
    "fetchgit"
    "fetchFromGitHub"
    "fetchFromGitLab"
    "fetchpatch"
    "requireFile"
  ]
// absent
  "the package source \"seed\" has no compiler and builds no packages from source; use the package source nixpkgs"
  [
    "gcc"
    "clang"
    "cmake"
    "rustPlatform"
    "buildGoModule"
    "buildNpmPackage"
    "python3Packages"
    "haskellPackages"
  ]
