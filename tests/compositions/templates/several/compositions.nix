{
  foo = import ./foo.nix;
  bar = ./bar.nix;
}
