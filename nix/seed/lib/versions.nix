# Version numbers.
lib:
let
  parts = version: builtins.filter builtins.isString (builtins.split "[.]" version);
  part = i: version: let all = parts version; in
    if i < builtins.length all then builtins.elemAt all i else throw "the version ${version} has no part ${toString (i + 1)}";
in
{
  splitVersion = builtins.splitVersion;
  major = part 0;
  minor = part 1;
  patch = part 2;
  majorMinor = version: lib.concatStringsSep "." (lib.take 2 (parts version));
  versionOlder = a: b: builtins.compareVersions b a == 1;
  versionAtLeast = a: b: !(lib.versions.versionOlder a b);
}
