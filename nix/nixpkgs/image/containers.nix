# The image of containers: the roles' systems, nothing else. They share the store of the host that runs them.
{ lib }:
{ pkgs, roles, metadata }:
import ./manifest.nix { inherit lib pkgs; } { inherit roles metadata; }
