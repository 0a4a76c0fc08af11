{ imports = [ ./ring.nix ]; a = [ 2 ]; }
