# Redis, any number of servers on a node.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkEnableOption mkIf mkOption types;
  cfg = config.services.redis;
  nameOf = name: "redis" + lib.optionalString (name != "") "-${name}";
  enabled = lib.filterAttrs (_: server: server.enable) cfg.servers;

  value = types.nullOr (types.oneOf [ types.bool types.int types.str types.path (types.listOf types.str) ]);
  show = v: if v == true then "yes" else if v == false then "no" else toString v;
  configOf = settings: lib.concatStrings (lib.mapAttrsToList
    (key: v: lib.concatMapStrings (one: "${key} ${show one}\n") (lib.toList v))
    (lib.filterAttrs (_: v: v != null) settings));

  server = types.submodule ({ name, config, ... }: {
    options = {
      enable = mkEnableOption "this Redis server";
      user = mkOption { type = types.str; default = nameOf name; description = "Its user."; };
      group = mkOption { type = types.str; default = config.user; defaultText = "the user"; description = "Its group."; };
      port = mkOption { type = types.port; default = if name == "" then 6379 else 0; defaultText = "6379 for the server \"\", else 0 (none)"; description = "The TCP port; 0: none."; };
      openFirewall = mkOption { type = types.bool; default = false; description = "Whether the port is open."; };
      bind = mkOption { type = types.nullOr types.str; default = "127.0.0.1"; description = "The address; null: all."; };
      unixSocket = mkOption { type = types.nullOr types.path; default = "/run/${nameOf name}/redis.sock"; defaultText = "/run/<name>/redis.sock"; description = "The socket."; };
      unixSocketPerm = mkOption { type = types.int; default = 660; description = "The socket's permissions."; };
      logLevel = mkOption { type = types.str; default = "notice"; description = "debug, verbose, notice or warning."; };
      logfile = mkOption { type = types.str; default = "/dev/null"; description = "The log; /dev/null: the journal."; };
      syslog = mkOption { type = types.bool; default = true; description = "Without effect: it logs to the journal."; };
      databases = mkOption { type = types.int; default = 16; description = "The number of databases."; };
      maxclients = mkOption { type = types.int; default = 10000; description = "The most clients."; };
      save = mkOption {
        type = types.listOf (types.listOf types.int);
        default = [ [ 900 1 ] [ 300 10 ] [ 60 10000 ] ];
        description = "When data is written: [ seconds changes ].";
      };
      slaveOf = mkOption {
        type = types.nullOr (types.submodule {
          options = {
            ip = mkOption { type = types.str; description = "The master's address."; };
            port = mkOption { type = types.port; description = "Its port."; };
          };
        });
        default = null;
        description = "The master that it follows.";
      };
      masterAuth = mkOption { type = types.nullOr types.str; default = null; description = "The master's password."; };
      requirePass = mkOption { type = types.nullOr types.str; default = null; description = "Its password; everybody can read it in the store."; };
      requirePassFile = mkOption { type = types.nullOr types.path; default = null; description = "A file on the node with its password."; };
      appendOnly = mkOption { type = types.bool; default = false; description = "Whether each change is written."; };
      appendFsync = mkOption { type = types.str; default = "everysec"; description = "no, always or everysec."; };
      slowLogLogSlowerThan = mkOption { type = types.int; default = 10000; description = "Microseconds from which a command counts as slow."; };
      slowLogMaxLen = mkOption { type = types.int; default = 128; description = "How many of those are kept."; };
      extraParams = mkOption { type = types.listOf types.str; default = [ ]; description = "Further arguments."; };
      settings = mkOption { type = types.attrsOf value; default = { }; example = { maxmemory = "64mb"; }; description = "Lines of redis.conf."; };
    };
    config.settings = lib.mapAttrs (_: lib.mkDefault) ({
      inherit (config) port databases maxclients;
      dir = "/var/lib/${nameOf name}";
      daemonize = false;
      supervised = "no";
      loglevel = config.logLevel;
      logfile = if config.logfile == "/dev/null" then "\"\"" else config.logfile;
      save = map (pair: lib.concatMapStringsSep " " toString pair) config.save;
      dbfilename = "dump.rdb";
      appendonly = config.appendOnly;
      appendfsync = config.appendFsync;
      slowlog-log-slower-than = config.slowLogLogSlowerThan;
      slowlog-max-len = config.slowLogMaxLen;
      bind = config.bind;
    } // lib.optionalAttrs (config.unixSocket != null) {
      unixsocket = config.unixSocket;
      unixsocketperm = toString config.unixSocketPerm;
    } // lib.optionalAttrs (config.slaveOf != null) {
      slaveof = "${config.slaveOf.ip} ${toString config.slaveOf.port}";
    } // lib.optionalAttrs (config.masterAuth != null) { masterauth = config.masterAuth; }
    // lib.optionalAttrs (config.requirePass != null) { requirepass = config.requirePass; }
    // lib.optionalAttrs (config.bind == null) { protected-mode = false; });
  });
in
{
  imports = map
    (name: lib.mkRenamedOptionModule [ "services" "redis" name ] [ "services" "redis" "servers" "" name ])
    [ "enable" "port" "bind" "openFirewall" "settings" ];

  options.services.redis = {
    package = lib.mkPackageOption pkgs "redis" { };
    vmOverCommit = mkOption { type = types.bool; default = true; description = "Whether the kernel may promise more memory than there is, as Redis wants it."; };
    servers = mkOption {
      type = types.attrsOf server;
      default = { };
      example = { cache = { enable = true; port = 6379; }; };
      description = "Redis servers, by name; \"\" is the service redis.";
    };
  };

  config = mkIf (enabled != { }) {
    boot.kernel.sysctl = mkIf cfg.vmOverCommit { "vm.overcommit_memory" = "1"; };
    networking.firewall.allowedTCPPorts = lib.concatMap (s: lib.optional s.openFirewall s.port) (lib.attrValues enabled);
    environment.systemPackages = [ cfg.package ];
    users.users = lib.mapAttrs' (name: s: lib.nameValuePair s.user { isSystemUser = true; inherit (s) group; description = "Redis"; }) enabled;
    users.groups = lib.mapAttrs' (_: s: lib.nameValuePair s.group { }) enabled;
    environment.etc = lib.mapAttrs'
      (name: s: lib.nameValuePair "${nameOf name}/redis.conf" { text = configOf s.settings; mode = "0640"; inherit (s) user group; })
      enabled;
    systemd.services = lib.mapAttrs'
      (name: s: lib.nameValuePair (nameOf name) {
        description = "Redis Server - ${nameOf name}";
        wantedBy = [ "multi-user.target" ];
        after = [ "network.target" ];
        preStart = ''
          umask 077
          cat /etc/${nameOf name}/redis.conf > /var/lib/${nameOf name}/redis.conf
        '' + lib.optionalString (s.requirePassFile != null) ''
          echo "requirepass $(cat ${lib.escapeShellArg (toString s.requirePassFile)})" >> /var/lib/${nameOf name}/redis.conf
        '';
        serviceConfig = {
          ExecStart = "${cfg.package}/bin/redis-server /var/lib/${nameOf name}/redis.conf ${lib.escapeShellArgs s.extraParams}";
          User = s.user;
          Group = s.group;
          Restart = "always";
          RuntimeDirectory = nameOf name;
          RuntimeDirectoryMode = "0750";
          StateDirectory = nameOf name;
          StateDirectoryMode = "0700";
          LimitNOFILE = lib.mkDefault (toString (lib.max 1024 (s.maxclients + 32)));
        };
      })
      enabled;
  };
}
