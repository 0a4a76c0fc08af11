{
  description = "NixOS Compose for Kubernetes: compositions become images";

  # No inputs: the caller's nixpkgs is used, as with nixos-compose. nixpkgs/pin.json names the one that it is meant for.
  outputs = { self }: {
    lib.compose = import ./outputs.nix;
  };
}
