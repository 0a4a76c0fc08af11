# What these tests evaluate instead of nix/entry.nix: a file that is a function of a few builders, and gives a derivation.
{ request }:
let
  inherit (request) busybox;
  image = import (request.source + "/composition.nix") {
    inherit busybox;
    # A derivation of a script for busybox's shell, with more attributes if need be.
    sh = name: script: attributes: derivation ({
      inherit name;
      system = "x86_64-linux";
      builder = "${busybox}/bin/busybox";
      args = [ "sh" "-c" script ];
      PATH = "${busybox}/bin";
    } // attributes);
  };
in
{ inherit (image) drvPath outPath; roles = [ ]; }
