{ imports = [ ./ring-two.nix ]; a = [ 1 ]; }
