# Units as plain records, for the run time (nix/seed/system.nix).
lib:
let
  inherit (lib) concatMap filter hasPrefix optional toList unique;
  known = import ./directives.nix;
  span = import ./time.nix lib;
  parse = import ./command.nix lib;

  asList = value: if value == null then [ ] else map toString (toList value);
  words = value: concatMap (text: filter (word: word != "") (lib.splitString " " text)) (asList value);
  boolOf = what: value:
    if builtins.isBool value then value
    else if lib.elem (lib.toLower (toString value)) [ "1" "yes" "true" "on" ] then true
    else if lib.elem (lib.toLower (toString value)) [ "0" "no" "false" "off" "" ] then false
    else throw "nxc: ${what} is yes or no; found ${builtins.toJSON value}";
  oneOf = what: allowed: value:
    if lib.elem value allowed then value
    else throw "nxc: ${what} is one of ${lib.concatStringsSep ", " allowed}; found ${builtins.toJSON value}";

  conditionsOf = unitConfig: concatMap
    (key:
      let
        found = builtins.match "(Condition|Assert)(.*)" key;
        kind = lib.elemAt found 1;
        one = text:
          let parts = builtins.match "([|]?)(!?)(.*)" text; in
          { inherit kind; argument = lib.addContextFrom text (lib.elemAt parts 2); trigger = lib.head parts != ""; negate = lib.elemAt parts 1 != ""; };
      in
      if found == null then [ ] else map one (filter (text: text != "") (asList unitConfig.${key})))
    (lib.attrNames unitConfig);
in
rec {
  # Errors of one unit, each a sentence.
  complaints = kind: name: unit:
    let
      unknownOf = what: allowed: keys: concatMap
        (key:
          let near = lib.blame.nearest key allowed; in
          optional (!lib.elem key allowed)
            "systemd.${kind}.${name}.${what}.${key} is no directive that systemd or the seed knows${lib.optionalString (near != null) "; did you mean ${near}?"}")
        keys;
      conditionKeys = concatMap (c: [ "Condition${c}" "Assert${c}" ]) known.conditions;
      serviceKeys = lib.attrNames (unit.serviceConfig or { });
      refusedKeys = filter (key: known.refused ? ${key}) serviceKeys;
    in
    unknownOf "unitConfig" (known.unit ++ conditionKeys) (lib.attrNames unit.unitConfig)
    ++ unknownOf "serviceConfig" (known.service ++ known.limits ++ known.unenforced) (lib.subtractLists refusedKeys serviceKeys)
    ++ map (key: "systemd.${kind}.${name}.serviceConfig.${key}: ${known.refused.${key}}") refusedKeys
    ++ optional (lib.hasInfix "@" name && lib.hasSuffix "@" name)
      "systemd.${kind}.\"${name}\": the seed has no templates; declare each instance";

  # What services and targets have in common.
  common = kind: name: unit:
    let
      also = field: concatMap
        (key: lib.optionals (known.dependencies.${key} == field) (words (unit.unitConfig.${key} or null)))
        (lib.attrNames known.dependencies);
      of = field: unique (unit.${field} ++ also field);
      int = key: own: if own != null then own else
        let value = unit.unitConfig.${key} or null; in
        if value == null then null else if builtins.isInt value then value else lib.toIntBase10 (toString value);
    in
    {
      inherit name kind;
      unit = "${name}.${kind}";
      enable = true;
      description = if unit.description != "" then unit.description else toString (unit.unitConfig.Description or name);
      wantedBy = unique (unit.wantedBy ++ unit.upheldBy);
      inherit (unit) requiredBy;
      requires = unique (of "requires" ++ unit.requisite);
      wants = unique (of "wants" ++ unit.upholds);
      after = of "after";
      before = of "before";
      bindsTo = of "bindsTo";
      partOf = of "partOf";
      conflicts = of "conflicts";
      startLimitIntervalSec =
        if unit.startLimitIntervalSec != null then unit.startLimitIntervalSec
        else
          let value = unit.unitConfig.StartLimitIntervalSec or unit.unitConfig.StartLimitInterval or null; in
          if value == null then null else span "${name}: StartLimitIntervalSec" value / 1000;
      startLimitBurst = int "StartLimitBurst" unit.startLimitBurst;
      conditions = conditionsOf unit.unitConfig;
    };

  # A service, whose scripts are already commands. `homeOf`: user → home.
  service = homeOf: name: unit:
    let
      config = unit.serviceConfig;
      what = key: "systemd.services.${name}.serviceConfig.${key}";
      get = key: default: let value = config.${key} or null; in if value == null then default else value;
      text = key: default: toString (get key default);
      user = text "User" (if get "DynamicUser" false == true then name else "");
      instance = let found = builtins.match "[^@]*@(.*)" name; in if found == null then "" else lib.head found;
      specifiers = {
        n = "${name}.service"; N = name; p = lib.head (lib.splitString "@" name); i = instance; I = instance;
        t = "/run"; S = "/var/lib"; C = "/var/cache"; L = "/var/log"; E = "/etc"; T = "/tmp"; V = "/var/tmp";
        u = if user == "" then "root" else user; h = homeOf user;
      };
      commands = key:
        # An empty string forgets what stood before it.
        let lines = lib.foldl' (sum: line: if line == "" then [ ] else sum ++ [ line ]) [ ] (asList (get key [ ])); in
        concatMap (parse { what = what key; inherit specifiers; }) lines;
      expanded = value: lib.replaceStrings (map (s: "%${s}") (lib.attrNames specifiers)) (lib.attrValues specifiers) (toString value);
      directory = key: {
        names = map expanded (words (get key [ ]));
        mode = text "${key}Mode" "0755";
        preserve = key == "RuntimeDirectory" && lib.elem (text "RuntimeDirectoryPreserve" "no") [ "1" "yes" "true" "restart" ];
      };
      type = text "Type" (if get "ExecStart" [ ] == [ ] || get "ExecStart" [ ] == "" then "oneshot" else "simple");
      ms = key: default: if config ? ${key} && config.${key} != null then span (what key) config.${key} else default;
      stop = if config ? TimeoutSec then ms "TimeoutSec" 90000 else 90000;
      assignments = concatMap
        (line: map (a: let m = builtins.match "\"?([^=\"]*)=([^\"]*)\"?" a; in
          if m == null then throw "nxc: ${what "Environment"}: ${builtins.toJSON a} is no NAME=value" else lib.nameValuePair (lib.head m) (lib.addContextFrom line (lib.elemAt m 1)))
          (quoted line))
        (asList (get "Environment" [ ]));
      # Words, where double quotes hold blanks together.
      quoted = line: map (m: lib.head m) (filter builtins.isList (builtins.split "(\"[^\"]*\"|[^[:space:]\"]+(\"[^\"]*\")?)" line));
    in
    common "service" name unit // {
      type = oneOf (what "Type") [ "simple" "exec" "forking" "oneshot" "notify" "notify-reload" "dbus" "idle" ] type;
      remainAfterExit = boolOf (what "RemainAfterExit") (get "RemainAfterExit" false);
      restart = oneOf (what "Restart") [ "no" "always" "on-failure" "on-success" "on-abnormal" "on-abort" "on-watchdog" ]
        (let value = get "Restart" "no"; in if value == false then "no" else toString value);
      restartMs = ms "RestartSec" 100;
      timeoutStartMs = if config ? TimeoutStartSec then ms "TimeoutStartSec" 90000 else if config ? TimeoutSec then stop else if type == "oneshot" then null else 90000;
      timeoutStopMs = ms "TimeoutStopSec" stop;
      inherit user;
      group = text "Group" "";
      supplementaryGroups = words (get "SupplementaryGroups" [ ]);
      workingDirectory = expanded (get "WorkingDirectory" "");
      umask = text "UMask" "";
      environment = lib.mapAttrs (_: toString) (lib.filterAttrs (_: value: value != null) unit.environment)
        // lib.listToAttrs assignments;
      environmentFiles = map
        (file: { path = expanded (lib.removePrefix "-" file); optional = hasPrefix "-" file; })
        (asList (get "EnvironmentFile" [ ]));
      execStartPre = commands "ExecStartPre";
      execStart = commands "ExecStart";
      execStartPost = commands "ExecStartPost";
      execReload = commands "ExecReload";
      execStop = commands "ExecStop";
      execStopPost = commands "ExecStopPost";
      pidFile = let file = expanded (get "PIDFile" ""); in if file == "" || hasPrefix "/" file then file else "/run/${file}";
      runtimeDirectory = directory "RuntimeDirectory";
      stateDirectory = directory "StateDirectory";
      logsDirectory = directory "LogsDirectory";
      cacheDirectory = directory "CacheDirectory";
      configurationDirectory = directory "ConfigurationDirectory";
      killSignal = let signal = text "KillSignal" "SIGTERM"; in if hasPrefix "SIG" signal then signal else "SIG${signal}";
      killMode = oneOf (what "KillMode") [ "control-group" "mixed" "process" "none" ] (text "KillMode" "control-group");
      limits = lib.listToAttrs (map
        (key: lib.nameValuePair (lib.removePrefix "Limit" key) (toString config.${key}))
        (filter (key: config.${key} or null != null) known.limits));
      nice = let value = get "Nice" null; in if value == null then null else lib.toIntBase10 (toString value);
      oomScoreAdjust = let value = get "OOMScoreAdjust" null; in if value == null then null else lib.toIntBase10 (toString value);
      successExitStatus = words (get "SuccessExitStatus" [ ]);
      unenforced = filter (key: lib.elem key known.unenforced) (lib.attrNames config);
    };
}
