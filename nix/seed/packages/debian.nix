# One derivation for each Debian package of the lock, under Debian's name.
{ locked }:
final: prev:
let
  inherit (builtins)
    attrNames
    baseNameOf
    concatLists
    concatMap
    concatStringsSep
    elem
    filter
    genericClosure
    listToAttrs
    mapAttrs
    ;
  inherit (final) plainVersion run storeName;

  fixes = import ./fixes.nix;

  # The package as Debian made it: in the store before the build, or the build stops at an address that is none.
  deb =
    name:
    let
      file = storeName (baseNameOf locked.packages.${name}.file);
    in
    derivation {
      name = file;
      system = "builtin";
      builder = "builtin:fetchurl";
      url = "file:///nxc-seed/${file}";
      unpack = false;
      executable = false;
      outputHashMode = "flat";
      outputHashAlgo = "sha256";
      inherit (locked.packages.${name}) sha256;
      outputHash = locked.packages.${name}.sha256;
      preferLocalBuild = true;
    };

  # Packages that are one store path: they look for each other by relative places, or depend in a circle.
  leader = listToAttrs (
    concatMap (name: map (member: { name = member; value = name; }) fixes.together.${name}) (attrNames fixes.together)
  );
  membersOf = name: filter (member: locked.packages ? ${member}) ([ name ] ++ fixes.together.${name} or [ ]);
  dependsOf =
    name:
    let
      members = membersOf name;
      found = concatMap (member: map (d: leader.${d} or d) locked.packages.${member}.depends) members;
    in
    attrNames (removeAttrs (listToAttrs (map (d: { name = d; value = null; }) found)) members);

  version = name: plainVersion locked.packages.${name}.version;

  # What a package that comes from elsewhere (an overlay) does not say.
  runtimeDepsOf = package: package.runtimeDeps or [ package ];

  closure =
    packages:
    map (item: item.package) (genericClosure {
      startSet = map (package: { key = package.outPath; inherit package; }) packages;
      operator = item: map (package: { key = package.outPath; inherit package; }) (item.package.directDeps or [ ]);
    });

  attributes = name: dependencies: package: {
    pname = name;
    version = version name;
    directDeps = dependencies;
    # Every package of the run-time closure, itself included; a superset of what Nix finds.
    runtimeDeps = closure ([ package ] ++ dependencies ++ [ final.busybox ]);
  };

  glibc =
    let
      package =
        run {
          name = "glibc-${version "libc6"}";
          debs = map deb (membersOf "libc6");
          script = builtins.readFile ./glibc.sh;
        }
        // attributes "libc6" [ ] package;
    in
    package;

  # It needs a C++ library to run, and is what gives others theirs: so it has its own.
  patchelf = run {
    name = "patchelf-${version "patchelf"}";
    debs = map deb [
      "patchelf"
      "libstdc++6"
    ];
    glibc = final.libc6;
    script = builtins.readFile ./patchelf.sh;
  };

  repack =
    name:
    let
      fix = fixes.packages.${name} or { };
      dependencies = map (d: final.${d}) (dependsOf name);
      runtime = closure ([ final.libc6 final.busybox ] ++ dependencies);
      package =
        run {
          name = "${name}-${version name}";
          debs = map deb (membersOf name);
          deps = dependencies;
          glibc = final.libc6;
          inherit (final) patchelf busybox;
          drop = fix.drop or [ ];
          post = fix.post or "";
          script = builtins.readFile ./repack.sh;
          allowedReferences = [ "out" ] ++ runtime;
        }
        // attributes name dependencies package;
    in
    package;
in
mapAttrs (
  name: _: if leader ? ${name} then final.${leader.${name}} else repack name
) (removeAttrs locked.packages [ "busybox-static" ])
// {
  inherit deb runtimeDepsOf patchelf;
  libc6 = glibc;
  # For LOCPATH: programs that want UTF-8 (tmux) ask the C library, which has only the C locale built in.
  glibcLocales = final.run {
    name = "glibc-locales-${version "libc-bin"}";
    deb = deb "libc-bin";
    script = ''
      dpkg-deb -x $deb raw
      mkdir -p $out/lib
      cp -r raw/usr/lib/locale $out/lib/locale
    '';
  };
  # Debian's names of the packages in the lock, and whether a name is one.
  debianNames = attrNames locked.packages;
}
