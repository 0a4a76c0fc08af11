# nixpkgs' names for Debian's packages; where nixpkgs has one package for several, a join of them.
{ locked }:
final: prev:
let
  inherit (builtins)
    concatMap
    fromJSON
    genericClosure
    head
    length
    mapAttrs
    readFile
    ;

  aliases = fromJSON (readFile ./aliases.json);

  join =
    name: members:
    let
      packages = map (member: final.${member}) members;
      package =
        final.symlinkJoin {
          name = "${name}-${(head packages).version}";
          paths = packages;
        }
        // {
          pname = name;
          inherit (head packages) version;
          directDeps = packages;
          runtimeDeps = map (item: item.package) (genericClosure {
            startSet = [
              {
                key = package.outPath;
                inherit package;
              }
            ];
            operator =
              item:
              map (p: {
                key = p.outPath;
                package = p;
              }) (concatMap (p: p.runtimeDeps or [ p ]) (item.package.directDeps or [ ]));
          });
        };
    in
    package;
in
mapAttrs (
  name: members: if length members == 1 then final.${head members} else join name members
) aliases
