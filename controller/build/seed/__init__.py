"""The seed: Debian packages, locked, fetched and put into the store as inputs of nix/seed."""
