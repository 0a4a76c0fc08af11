"""A composition's test script, run from here: NixOS' test driver's language, over SSH."""
