# Services, with systemd's directives in NixOS's form.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  unitTypes = import ./types.nix lib;
  unit = import ./unit.nix lib;
  script = description: mkOption { type = types.lines; default = ""; inherit description; };

  service = types.submodule ({ name, config, ... }: {
    options = unitTypes.dependencies // {
      serviceConfig = mkOption {
        type = types.attrsOf unitTypes.directive;
        default = { };
        example = { ExecStart = "/bin/foo"; Restart = "always"; };
        description = "The [Service] section.";
      };
      environment = mkOption {
        type = types.attrsOf (types.nullOr (types.oneOf [ types.str types.path types.package types.int ]));
        default = { };
        description = "Environment variables of its processes; null leaves one out.";
      };
      path = mkOption {
        type = types.listOf (types.oneOf [ types.package types.str ]);
        default = [ ];
        description = "Packages whose bin (and sbin) is in its PATH, before busybox.";
      };
      script = script "Shell commands that are the service.";
      scriptArgs = mkOption { type = types.str; default = ""; description = "Arguments of `script`."; };
      preStart = script "Shell commands before it starts.";
      postStart = script "Shell commands once it is started.";
      reload = script "Shell commands that make it read its configuration anew.";
      preStop = script "Shell commands that stop it.";
      postStop = script "Shell commands once it is stopped.";
      jobScripts = mkOption { type = types.raw; internal = true; default = [ ]; description = "Without effect."; };
      startAt = mkOption {
        type = types.either types.str (types.listOf types.str);
        default = [ ];
        description = "Refused where it is not empty: the seed has no timers.";
      };
      restartIfChanged = mkOption { type = types.bool; default = true; description = "Without effect: roles change by a boot."; };
      reloadIfChanged = mkOption { type = types.bool; default = false; description = "Without effect."; };
      stopIfChanged = mkOption { type = types.bool; default = true; description = "Without effect."; };
      notSocketActivated = mkOption { type = types.bool; default = false; description = "Without effect."; };
      confinement = mkOption { type = types.attrsOf types.anything; default = { }; internal = true; description = "Without effect."; };
      restartTriggers = mkOption { type = types.listOf types.unspecified; default = [ ]; description = "Without effect."; };
      reloadTriggers = mkOption { type = types.listOf types.unspecified; default = [ ]; description = "Without effect."; };
      enableStrictShellChecks = mkOption { type = types.bool; default = false; description = "Without effect."; };
      enableDefaultPath = mkOption { type = types.bool; default = true; description = "Whether busybox is in its PATH."; };
    };
    config = lib.mkMerge [
      {
        path = lib.mkIf config.enableDefaultPath (lib.mkAfter [ pkgs.busybox ]);
        environment.PATH = lib.mkIf (config.path != [ ])
          (lib.concatMapStringsSep ":" (p: "${p}/bin") config.path + ":" + lib.concatMapStringsSep ":" (p: "${p}/sbin") config.path);
      }
      (run config "ExecStart" "start" name config.script (lib.optionalString (config.scriptArgs != "") " ${config.scriptArgs}"))
      (run config "ExecStartPre" "pre-start" name config.preStart "")
      (run config "ExecStartPost" "post-start" name config.postStart "")
      (run config "ExecReload" "reload" name config.reload "")
      (run config "ExecStop" "pre-stop" name config.preStop "")
      (run config "ExecStopPost" "post-stop" name config.postStop "")
    ];
  });

  # Scripts stand in the system itself, where `placeholder "out"` is: a derivation for each would cost
  # more than all else.
  scriptName = name: when: "${lib.replaceStrings [ "@" "\\" ] [ "-" "-" ] name}-${when}";
  run = config: directive: when: name: text: arguments: lib.mkIf (text != "") {
    serviceConfig.${directive} =
      let line = "${builtins.placeholder "out"}/scripts/${scriptName name when}${arguments}"; in
      # Beside what serviceConfig has, except for what starts the service.
      if directive == "ExecStart" then line else [ line ];
  };
  scriptsOf = name: service: lib.mapAttrs (_: text: "#!${pkgs.bash}/bin/bash\nset -e\n${text}\n") (lib.filterAttrs (_: text: text != "") {
    ${scriptName name "start"} = service.script;
    ${scriptName name "pre-start"} = service.preStart;
    ${scriptName name "post-start"} = service.postStart;
    ${scriptName name "reload"} = service.reload;
    ${scriptName name "pre-stop"} = service.preStop;
    ${scriptName name "post-stop"} = service.postStop;
  });

  services = lib.filterAttrs (_: service: service.enable) config.systemd.services;
  homes = lib.listToAttrs (map (user: lib.nameValuePair user.name user.home) (lib.attrValues config.users.users));
  homeOf = user: if user == "" then "/root" else homes.${user} or "/";
in
{
  options.systemd.services = mkOption {
    type = types.attrsOf service;
    default = { };
    example = { web = { wantedBy = [ "multi-user.target" ]; serviceConfig.ExecStart = "/bin/httpd -f"; }; };
    description = "Services.";
  };

  config = {
    # systemd makes such users as long as the service runs; here they are there always.
    users = lib.mkMerge (lib.mapAttrsToList
      (name: service:
        let user = toString (service.serviceConfig.User or name); in
        lib.mkIf (service.serviceConfig.DynamicUser or false == true) {
          users.${user} = { isSystemUser = true; group = lib.mkDefault user; };
          groups.${user} = { };
        })
      services);
    assertions =
      lib.concatLists (lib.mapAttrsToList
        (name: service: map (message: { assertion = false; inherit message; }) (unit.complaints "services" name service)
          ++ [
          {
            assertion = lib.toList service.startAt == [ ] || service.startAt == "";
            message = "systemd.services.${name}.startAt: the seed has no timers; use a loop with sleep in `script`, or packageSource nixpkgs";
          }
          {
            assertion = service.serviceConfig.User or null == null || homes ? ${toString service.serviceConfig.User}
              || builtins.match "[0-9]+" (toString service.serviceConfig.User) != null;
            message = "systemd.services.${name}.serviceConfig.User is ${toString (service.serviceConfig.User or "")}, but there is no such user; users.users.${toString (service.serviceConfig.User or "")} makes it";
          }
        ])
        services)
      ++ lib.mapAttrsToList
        (name: target: { assertion = unit.complaints "targets" name target == [ ]; message = lib.concatStringsSep "; " (unit.complaints "targets" name target); })
        config.systemd.targets;
    system.build = {
      units = lib.mapAttrs' (name: service: lib.nameValuePair "${name}.service" (unit.service homeOf name service)) services;
      scripts = lib.concatMapAttrs scriptsOf services;
    };
  };
}
