# A unit's record (config.system.build.units.NAME) as the text that PID 1 reads: systemd's names, one assignment a line.
# What init/nxc/unit.lua parses.
{ lib }:
let
  inherit (builtins) concatLists concatStringsSep isBool map replaceStrings;
  inherit (lib) mapAttrsToList optional;

  # In commands and environments a newline stands as \n.
  escape = replaceStrings [ "\\" "\n" ] [ "\\\\" "\\n" ];

  # Without a value there is no line.
  line = key: value: optional (value != null && value != "" && value != [ ]) "${key}=${toString value}";
  flag = key: value: optional value "${key}=yes";
  lines = key: values: map (value: "${key}=${escape value}") values;

  command = entry:
    (if entry.ignoreFailure or false then "-" else "") + (if entry.privileged or false then "+" else "") + entry.sh;
  commands = key: entries: lines key (map command entries);

  directory = key: value:
    line key value.names
    ++ (if value.names == [ ] then [ ] else line "${key}Mode" value.mode ++ optional (value.preserve or false) "${key}Preserve=yes");

  condition = entry:
    "${entry.kind}=${if entry.trigger or false then "|" else ""}${if entry.negate or false then "!" else ""}${entry.argument}";

  common = unit:
    line "Description" unit.description
    ++ concatLists (mapAttrsToList line {
      Wants = unit.wants or [ ];
      Requires = unit.requires or [ ];
      BindsTo = unit.bindsTo or [ ];
      PartOf = unit.partOf or [ ];
      Conflicts = unit.conflicts or [ ];
      After = unit.after or [ ];
      Before = unit.before or [ ];
      WantedBy = unit.wantedBy or [ ];
      RequiredBy = unit.requiredBy or [ ];
    })
    ++ lines "Condition" (map condition (unit.conditions or [ ]));

  milliseconds = key: value: [ "${key}=${if value == null then "infinity" else toString value}" ];

  service = unit:
    line "Type" unit.type
    ++ flag "RemainAfterExit" (unit.remainAfterExit or false)
    ++ line "Restart" (unit.restart or "no")
    ++ (if unit ? restartMs then milliseconds "RestartMSec" unit.restartMs else [ ])
    ++ (if unit ? timeoutStartMs then milliseconds "TimeoutStartMSec" unit.timeoutStartMs else [ ])
    ++ (if unit ? timeoutStopMs then milliseconds "TimeoutStopMSec" unit.timeoutStopMs else [ ])
    ++ line "StartLimitIntervalSec" (unit.startLimitIntervalSec or null)
    ++ line "StartLimitBurst" (unit.startLimitBurst or null)
    ++ line "User" (unit.user or "")
    ++ line "Group" (unit.group or "")
    ++ line "SupplementaryGroups" (unit.supplementaryGroups or [ ])
    ++ line "WorkingDirectory" (unit.workingDirectory or "")
    ++ line "UMask" (unit.umask or "")
    ++ line "PIDFile" (unit.pidFile or "")
    ++ line "KillSignal" (unit.killSignal or "")
    ++ line "KillMode" (unit.killMode or "")
    ++ line "Nice" (unit.nice or null)
    ++ line "OOMScoreAdjust" (unit.oomScoreAdjust or null)
    ++ line "SuccessExitStatus" (unit.successExitStatus or [ ])
    ++ line "Unenforced" (unit.unenforced or [ ])
    ++ mapAttrsToList (name: value: "Limit=${name}=${toString value}") (unit.limits or { })
    ++ concatLists (map (kind: directory "${kind.name}Directory" kind.value) [
      { name = "Runtime"; value = unit.runtimeDirectory or none; }
      { name = "State"; value = unit.stateDirectory or none; }
      { name = "Logs"; value = unit.logsDirectory or none; }
      { name = "Cache"; value = unit.cacheDirectory or none; }
      { name = "Configuration"; value = unit.configurationDirectory or none; }
    ])
    ++ lines "Environment" (mapAttrsToList (name: value: "${name}=${toString value}") (unit.environment or { }))
    ++ lines "EnvironmentFile" (map (entry: (if entry.optional then "-" else "") + entry.path) (unit.environmentFiles or [ ]))
    ++ concatLists (map (kind: commands kind.key kind.entries) [
      { key = "ExecStartPre"; entries = unit.execStartPre or [ ]; }
      { key = "ExecStart"; entries = unit.execStart or [ ]; }
      { key = "ExecStartPost"; entries = unit.execStartPost or [ ]; }
      { key = "ExecReload"; entries = unit.execReload or [ ]; }
      { key = "ExecStop"; entries = unit.execStop or [ ]; }
      { key = "ExecStopPost"; entries = unit.execStopPost or [ ]; }
    ]);

  none = { names = [ ]; };
in
unit: concatStringsSep "\n" ([ "[Unit]" ] ++ common unit ++ (if unit.kind == "target" then [ ] else [ "[Service]" ] ++ service unit)) + "\n"
