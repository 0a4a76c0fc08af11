"""A composition's test script: NixOS' test driver's language, over SSH, for `kubectl nxc test` and the sandbox."""
