{ pkgs }: {
  one = pkgs.writeShellScriptBin "one" "echo one";
  two = pkgs.writeShellScriptBin "two" ''
    if [ "$(hostname)" = foo ]; then echo two; fi
  '';
  from-file = pkgs.writeShellScriptBin "from-file" (builtins.readFile ./from-file.sh);
}
