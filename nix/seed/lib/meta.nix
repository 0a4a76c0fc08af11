# What packages say about themselves.
lib: {
  getName = x: if builtins.isString x then (builtins.parseDrvName x).name else x.pname or (builtins.parseDrvName x.name).name;
  getVersion = x: if builtins.isString x then (builtins.parseDrvName x).version else x.version or (builtins.parseDrvName x.name).version;
  getExe = package: lib.getExe' package (package.meta.mainProgram or (lib.getName package));
  getExe' = package: program:
    if lib.hasInfix "/" program then throw "lib.getExe': ${program} is not the name of a program"
    else "${lib.getBin package}/bin/${program}";
  addMetaAttrs = attrs: package: package // { meta = package.meta or { } // attrs; };
  setName = name: package: package // { inherit name; };
  hiPrio = lib.setPrio (-10);
  lowPrio = lib.setPrio 10;
  setPrio = priority: lib.addMetaAttrs { inherit priority; };
  # Names only: nothing of the seed depends on them.
  licenses = lib.genAttrs [ "mit" "asl20" "bsd2" "bsd3" "gpl2Only" "gpl2Plus" "gpl3Only" "gpl3Plus" "lgpl21Only" "lgpl21Plus" "lgpl3Only" "lgpl3Plus" "mpl20" "isc" "unfree" "free" "publicDomain" ]
    (shortName: { inherit shortName; free = shortName != "unfree"; });
  platforms = { linux = [ "x86_64-linux" ]; unix = [ "x86_64-linux" ]; all = [ "x86_64-linux" ]; x86_64 = [ "x86_64-linux" ]; };
  maintainers = { };
  teams = { };
}
