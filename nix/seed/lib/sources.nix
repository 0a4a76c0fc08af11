# Source trees.
lib: {
  cleanSourceFilter = name: type:
    let base = baseNameOf (toString name); in
    !(type == "directory" && builtins.elem base [ ".git" ".svn" "CVS" ".hg" ".jj" ]
      || lib.hasSuffix "~" base
      || builtins.match "^\\.sw[a-z]$" base != null
      || type == "symlink" && lib.hasPrefix "result" base
      || type == "unknown");
  cleanSource = src: lib.cleanSourceWith { filter = lib.cleanSourceFilter; inherit src; };
  cleanSourceWith = { src, filter ? _: _: true, name ? "source" }:
    builtins.path { path = src; inherit filter name; };
  sourceByRegex = src: patterns:
    lib.cleanSourceWith {
      inherit src;
      filter = path: _:
        let relative = lib.removePrefix (toString src + "/") (toString path); in
        builtins.any (pattern: builtins.match pattern relative != null) patterns;
    };
  sourceFilesBySuffices = src: suffixes:
    lib.cleanSourceWith {
      inherit src;
      filter = name: type: type == "directory" || builtins.any (s: lib.hasSuffix s (baseNameOf name)) suffixes;
    };
  pathIsDirectory = path: builtins.pathExists (toString path + "/.");
  pathIsRegularFile = path: builtins.pathExists path && !lib.pathIsDirectory path;
}
