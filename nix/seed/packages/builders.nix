# Builders. There is no compiler and no stdenv: a build is a script for busybox's sh, which has every applet of
# busybox; an error, also in a pipe, or an unset variable ends it.
{ locked }:
final: prev:
let
  inherit (builtins)
    concatStringsSep
    hasContext
    isList
    removeAttrs
    replaceStrings
    toFile
    ;

  storeName = replaceStrings [ "+" "~" ":" "/" " " "@" ] [ "-" "-" "-" "-" "-" "-" ];

  # A version as it stands in a store path: without Debian's epoch (`5:7.0.15` is 7.0.15).
  plainVersion =
    version:
    let
      parts = builtins.match "[0-9]+:(.*)" version;
    in
    if parts == null then version else builtins.head parts;

  # busybox alone, as Python unpacked it from its package and added it to the store; the address is never asked.
  bootstrap = derivation {
    name = "nxc-seed-bootstrap";
    system = "builtin";
    builder = "builtin:fetchurl";
    url = "file:///nxc-seed/${locked.bootstrap.package}.nar";
    unpack = true;
    executable = false;
    outputHashMode = "recursive";
    outputHashAlgo = "sha256";
    outputHash = locked.bootstrap.narSha256;
    preferLocalBuild = true;
  };

  busyboxPackage = locked.packages.${locked.bootstrap.package};

  busybox =
    derivation {
      name = storeName "busybox-${plainVersion busyboxPackage.version}";
      inherit (final) system;
      builder = "${bootstrap}/bin/busybox";
      args = [
        "sh"
        "-euc"
        ''
          bb=${bootstrap}/bin/busybox
          $bb mkdir -p $out/bin
          $bb cp $bb $out/bin/busybox
          $bb --list | while read -r applet; do
            [ "$applet" = busybox ] || $bb ln -s busybox "$out/bin/$applet"
          done
        ''
      ];
    }
    // {
      pname = "busybox";
      version = plainVersion busyboxPackage.version;
      runtimeDeps = [ final.busybox ];
    };

  # Debian's busybox runs its own applet whatever the PATH says; a function comes before an applet.
  preferTools = ''
    for tool in ''${nativeBuildInputs:-} ''${buildInputs:-}; do
      for tool in $tool/bin/*; do
        case ''${tool##*/} in *[!A-Za-z0-9_]* | [0-9]*) ;; *) eval "''${tool##*/}() { $tool \"\$@\"; }" ;; esac
      done
    done
    unset tool
  '';

  # A derivation with `overrideAttrs`, from the arguments of `run`.
  run =
    {
      name,
      script,
      # Packages whose bin/ is on the PATH, before busybox.
      nativeBuildInputs ? [ ],
      buildInputs ? [ ],
      passAsFile ? [ ],
      passthru ? { },
      meta ? { },
      ...
    }@arguments:
    let
      tools = nativeBuildInputs ++ buildInputs;
    in
    derivation (
      removeAttrs arguments [
        "passthru"
        "meta"
      ]
      // {
        name = storeName name;
        inherit (final) system;
        builder = "${final.busybox}/bin/sh";
        args = [
          "-eu"
          "-o"
          "pipefail"
          "-c"
          (if tools == [ ] then ". \"$scriptPath\"" else "${preferTools} . \"$scriptPath\"")
        ];
        passAsFile = passAsFile ++ [ "script" ];
        PATH = concatStringsSep ":" (
          map (package: "${package}/bin") (tools ++ [ final.busybox ])
        );
        # What a build can see of time and language is the same everywhere.
        SOURCE_DATE_EPOCH = "1";
        TZ = "UTC";
        LC_ALL = "C";
      }
    )
    // {
      inherit meta;
      overrideAttrs =
        change:
        run (
          arguments // (if builtins.isFunction (change arguments) then change arguments arguments else change arguments)
        );
    }
    // passthru;

  # A text that refers to no store path is a file at evaluation already: no build.
  plainFile = name: text: rec {
    type = "derivation";
    inherit name;
    outPath = toFile name text;
    outputName = "out";
    out = plainFile name text;
  };

  writeTextFile =
    {
      name,
      text,
      executable ? false,
      # Where below the output, such as "/bin/hello"; "" makes the output the file itself.
      destination ? "",
    }:
    if !executable && destination == "" && !hasContext text then
      plainFile (storeName name) text
    else
      run {
        inherit name text destination;
        passAsFile = [ "text" ];
        mode = if executable then "755" else "644";
        script = ''
          [ -z "$destination" ] || mkdir -p "$(dirname "$out$destination")"
          cp "$textPath" "$out$destination"
          chmod $mode "$out$destination"
        '';
      };
in
{
  inherit
    bootstrap
    busybox
    plainVersion
    run
    storeName
    writeTextFile
    ;
  busybox-static = final.busybox;

  # nixpkgs: the environment is an attribute set whose attributes are variables of the script.
  runCommand = name: environment: script: run (environment // { inherit name script; });
  runCommandLocal = final.runCommand;
  runCommandNoCC = final.runCommand;

  writeText = name: text: writeTextFile { inherit name text; };
  writeScript =
    name: text:
    writeTextFile {
      inherit name text;
      executable = true;
    };
  writeScriptBin =
    name: text:
    writeTextFile {
      inherit name text;
      executable = true;
      destination = "/bin/${name}";
    };
  # For bash, as in nixpkgs.
  writeShellScript = name: text: final.writeScript name "#!${final.runtimeShell}\n${text}\n";
  writeShellScriptBin = name: text: final.writeScriptBin name "#!${final.runtimeShell}\n${text}\n";
  writeShellApplication =
    {
      name,
      text,
      runtimeInputs ? [ ],
      ...
    }:
    final.writeShellScriptBin name ''
      set -o errexit -o nounset -o pipefail
      export PATH="${concatStringsSep ":" (map (p: "${p}/bin") runtimeInputs)}''${PATH:+:$PATH}"
      ${text}
    '';

  # A tree of links to everything in `paths`; of two with one file the first wins.
  symlinkJoin =
    {
      name,
      paths,
      postBuild ? "",
      passthru ? { },
      ...
    }:
    run {
      inherit name passthru;
      joined = map toString paths;
      script = ''
        mkdir -p $out
        for path in $joined; do
          (cd "$path"; find . -type d | while read -r d; do mkdir -p "$out/$d"; done
           find . ! -type d | while read -r f; do [ -e "$out/$f" ] || [ -L "$out/$f" ] || ln -s "$path/''${f#./}" "$out/$f"; done)
        done
        ${postBuild}
      '';
    };
  buildEnv = { name, paths, ... }@a: final.symlinkJoin (removeAttrs a [ "pathsToLink" ]);

  # [ { name = "bin/x"; path = …; } ] as a tree of links.
  linkFarm =
    name: entries:
    let
      list = if isList entries then entries else map (n: { name = n; path = entries.${n}; }) (builtins.attrNames entries);
    in
    run {
      inherit name;
      names = map (e: e.name) list;
      paths = map (e: toString e.path) list;
      script = ''
        mkdir -p $out
        set -- $paths
        for name in $names; do
          mkdir -p "$(dirname "$out/$name")"
          ln -s "$1" "$out/$name"
          shift
        done
      '';
    };

  # `store-paths`: the closure of these paths, a path a line, sorted; `total-nar-size` is not known to a build here.
  closureInfo =
    { rootPaths }:
    run {
      name = "closure-info";
      exportReferencesGraph = builtins.concatLists (
        builtins.genList (i: [
          "closure-${toString i}"
          (builtins.elemAt rootPaths i)
        ]) (builtins.length rootPaths)
      );
      script = ''
        mkdir -p $out
        cat $NIX_BUILD_TOP/closure-* | grep '^/' | sort -u > $out/store-paths
      '';
    };
}
