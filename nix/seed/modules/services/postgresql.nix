# PostgreSQL, with databases and users that it makes at its first start.
{ config, lib, pkgs, ... }:
let
  inherit (lib) concatMapStrings mkEnableOption mkIf mkOption optionalString types;
  cfg = config.services.postgresql;
  base = toString cfg.dataDir;

  setting = types.oneOf [ types.bool types.float types.int types.str ];
  show = value:
    if builtins.isBool value then lib.boolToString value
    else if builtins.isString value then "'${lib.replaceStrings [ "'" ] [ "''" ] value}'"
    else toString value;
  conf = lib.concatStrings (lib.mapAttrsToList (key: value: "${key} = ${show value}\n") (lib.filterAttrs (_: v: v != null) cfg.settings));

  clause = types.nullOr types.bool;
  user = types.submodule {
    options = {
      name = mkOption { type = types.str; description = "The user's name."; };
      ensureDBOwnership = mkOption { type = types.bool; default = false; description = "Whether the database of the same name is the user's."; };
      ensureClauses = mkOption {
        type = types.submodule {
          options = lib.genAttrs [ "superuser" "createrole" "createdb" "inherit" "login" "replication" "bypassrls" ]
            (name: mkOption { type = clause; default = null; description = "Whether the user has ${name}; null: as PostgreSQL has it."; });
        };
        default = { };
        description = "What the user may do.";
      };
    };
  };
  psql = "psql -p ${toString cfg.settings.port} -U postgres -h /run/postgresql";
  clausesOf = clauses: lib.concatStringsSep " " (lib.mapAttrsToList
    (name: value: lib.toUpper "${optionalString (!value) "no"}${name}")
    (lib.filterAttrs (_: value: value != null) clauses));
in
{
  imports = [
    (lib.mkRenamedOptionModule [ "services" "postgresql" "port" ] [ "services" "postgresql" "settings" "port" ])
    (lib.mkRemovedOptionModule [ "services" "postgresql" "extraConfig" ] "Use services.postgresql.settings instead.")
  ];

  options.services.postgresql = {
    enable = mkEnableOption "PostgreSQL";
    package = mkOption { type = types.package; default = pkgs.postgresql; defaultText = lib.literalExpression "pkgs.postgresql"; description = "The package; the seed has PostgreSQL 15."; };
    dataDir = mkOption { type = types.path; default = "/var/lib/postgresql/15"; description = "Where the data is."; };
    enableTCPIP = mkOption { type = types.bool; default = false; description = "Whether it listens on all addresses."; };
    authentication = mkOption { type = types.lines; default = ""; description = "Lines of pg_hba.conf, before the usual ones."; };
    identMap = mkOption { type = types.lines; default = ""; description = "Lines of pg_ident.conf."; };
    settings = mkOption {
      type = types.submodule {
        freeformType = types.attrsOf (types.nullOr setting);
        options.port = mkOption { type = types.port; default = 5432; description = "The port."; };
      };
      default = { };
      example = { max_connections = 200; };
      description = "Lines of postgresql.conf.";
    };
    initdbArgs = mkOption { type = types.listOf types.str; default = [ ]; description = "Further arguments of initdb."; };
    initialScript = mkOption { type = types.nullOr types.path; default = null; description = "SQL that runs at the first start."; };
    ensureDatabases = mkOption { type = types.listOf types.str; default = [ ]; description = "Databases that exist."; };
    ensureUsers = mkOption { type = types.listOf user; default = [ ]; description = "Users that exist; they come in by their name on the node."; };
    checkConfig = mkOption { type = types.bool; default = true; description = "Without effect."; };
    enableJIT = mkOption { type = types.bool; default = false; description = "Refused: Debian's just-in-time compiler is left out."; };
    extensions = mkOption { type = types.raw; default = [ ]; description = "Without effect but for those that come with PostgreSQL."; };
    superUser = mkOption { type = types.str; default = "postgres"; internal = true; readOnly = true; description = "The first user."; };
  };

  config = mkIf cfg.enable {
    assertions = [
      { assertion = !cfg.enableJIT; message = "services.postgresql.enableJIT: the seed leaves Debian's just-in-time compiler out"; }
    ] ++ map
      (u: {
        assertion = !u.ensureDBOwnership || lib.elem u.name cfg.ensureDatabases;
        message = "services.postgresql.ensureUsers: ${u.name} has ensureDBOwnership, but services.postgresql.ensureDatabases has no ${u.name}";
      })
      cfg.ensureUsers;

    services.postgresql = {
      settings = {
        hba_file = "/etc/postgresql/pg_hba.conf";
        ident_file = "/etc/postgresql/pg_ident.conf";
        log_destination = lib.mkDefault "stderr";
        listen_addresses = lib.mkDefault (if cfg.enableTCPIP then "*" else "localhost");
        jit = lib.mkDefault false;
        unix_socket_directories = lib.mkDefault "/run/postgresql";
        log_timezone = lib.mkDefault "GMT";
        timezone = lib.mkDefault "GMT";
      };
      authentication = lib.mkAfter ''
        local all postgres         peer map=postgres
        local all all              peer
        host  all all 127.0.0.1/32 md5
        host  all all ::1/128      md5
      '';
      identMap = lib.mkAfter ''
        postgres postgres postgres
        postgres root     postgres
      '';
    };
    users.users.postgres = { isSystemUser = true; group = "postgres"; home = base; useDefaultShell = true; description = "PostgreSQL server user"; };
    users.groups.postgres = { };
    environment.systemPackages = [ cfg.package ];
    environment.etc = {
      "postgresql/postgresql.conf".text = conf;
      "postgresql/pg_hba.conf".text = cfg.authentication;
      "postgresql/pg_ident.conf".text = cfg.identMap;
    };
    systemd.tmpfiles.rules = [
      "d ${builtins.dirOf base} 0755 postgres postgres"
      "d ${base} 0750 postgres postgres"
      # Where Debian's PostgreSQL looks for time zones.
      "d /usr/share 0755 root root"
      "L+ /usr/share/zoneinfo - - - - ${pkgs.tzdata}/share/zoneinfo"
    ];
    systemd.services.postgresql = {
      description = "PostgreSQL Server";
      wantedBy = [ "multi-user.target" ];
      after = [ "network.target" ];
      environment = { PGDATA = base; LC_ALL = "C"; };
      path = [ cfg.package ];
      preStart = ''
        if [ ! -e ${base}/PG_VERSION ]; then
          rm -f ${base}/*.conf
          initdb --no-sync -U postgres -A peer --encoding=UTF8 --locale=C -D ${base} ${lib.escapeShellArgs cfg.initdbArgs}
          touch ${base}/.first_startup
        fi
        ln -sfn /etc/postgresql/postgresql.conf ${base}/postgresql.conf
      '';
      postStart = ''
        until pg_isready -q -p ${toString cfg.settings.port} -h /run/postgresql; do
          kill -0 "$MAINPID" || exit 1
          sleep 0.1
        done
      '' + optionalString (cfg.initialScript != null) ''
        if [ -e ${base}/.first_startup ]; then
          ${psql} -f ${cfg.initialScript} -d postgres
        fi
      '' + ''
        rm -f ${base}/.first_startup
      '' + concatMapStrings
        (database: ''
          ${psql} -tAc "SELECT 1 FROM pg_database WHERE datname = '${database}'" | grep -q 1 || ${psql} -tAc 'CREATE DATABASE "${database}"'
        '')
        cfg.ensureDatabases
      + concatMapStrings
        (u: ''
          ${psql} -tAc "SELECT 1 FROM pg_roles WHERE rolname = '${u.name}'" | grep -q 1 || ${psql} -tAc 'CREATE USER "${u.name}"'
          ${optionalString (clausesOf u.ensureClauses != "") ''${psql} -tAc 'ALTER ROLE "${u.name}" ${clausesOf u.ensureClauses}' ''}
          ${optionalString u.ensureDBOwnership ''${psql} -tAc 'ALTER DATABASE "${u.name}" OWNER TO "${u.name}"' ''}
        '')
        cfg.ensureUsers;
      serviceConfig = {
        ExecStart = "${cfg.package}/bin/postgres";
        ExecReload = "${pkgs.busybox}/bin/kill -HUP $MAINPID";
        User = "postgres";
        Group = "postgres";
        RuntimeDirectory = "postgresql";
        # Shut down fast: end sessions, then stop.
        KillSignal = "SIGINT";
        KillMode = "mixed";
        TimeoutSec = 120;
        # initdb takes a second, but under emulation a minute.
        TimeoutStartSec = 900;
        Restart = "on-failure";
      };
    };
  };
}
