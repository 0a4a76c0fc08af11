# Users and groups. Numbers that nobody gave are allotted by name, so that equal configurations get
# equal numbers on every role.
{ config, lib, pkgs, ... }:
let
  inherit (lib) attrNames attrValues filter mkDefault mkIf mkOption types;
  cfg = config.users;

  inherit (import ./ids.nix) uids gids;

  secrets = [ "password" "hashedPassword" "hashedPasswordFile" "initialPassword" "initialHashedPassword" "passwordFile" ];

  user = types.submodule ({ name, config, ... }: {
    options = {
      name = mkOption { type = types.passwdEntry types.str; default = name; description = "The user's name."; };
      enable = mkOption { type = types.bool; default = true; description = "Whether the user exists."; };
      description = mkOption { type = types.passwdEntry types.str; default = ""; description = "The full name."; };
      uid = mkOption { type = types.nullOr types.int; default = null; description = "The number; null: allotted."; };
      isNormalUser = mkOption { type = types.bool; default = false; description = "Whether this is a person: number from 1000, group users, a home, a shell."; };
      isSystemUser = mkOption { type = types.bool; default = false; description = "Whether this is a service: number below 1000."; };
      group = mkOption { type = types.str; default = ""; description = "The primary group."; };
      extraGroups = mkOption { type = types.listOf types.str; default = [ ]; description = "Further groups."; };
      home = mkOption { type = types.passwdEntry types.path; default = "/var/empty"; description = "The home directory."; };
      homeMode = mkOption { type = types.strMatching "[0-7]{1,5}"; default = "700"; description = "The home's permissions."; };
      createHome = mkOption { type = types.bool; default = false; description = "Whether the home is made at boot."; };
      shell = mkOption {
        type = types.nullOr (types.either types.shellPackage (types.passwdEntry types.path));
        default = pkgs.shadow.nologin or "/run/current-system/sw/bin/nologin";
        defaultText = "nologin";
        description = "The login shell.";
      };
      useDefaultShell = mkOption { type = types.bool; default = false; description = "Whether the shell is users.defaultUserShell."; };
      packages = mkOption { type = types.listOf types.package; default = [ ]; description = "Packages; on the seed every user sees them."; };
      ignoreShellProgramCheck = mkOption { type = types.bool; default = false; description = "Without effect."; };
      linger = mkOption { type = types.bool; default = false; description = "Without effect: there are no user services."; };
      openssh.authorizedKeys = {
        keys = mkOption { type = types.listOf types.singleLineStr; default = [ ]; description = "Public keys that may log in as the user."; };
        keyFiles = mkOption { type = types.listOf types.path; default = [ ]; description = "Files with such keys, read when the composition is evaluated."; };
      };
    } // lib.genAttrs secrets (_: mkOption {
      type = types.nullOr (types.either types.str types.path);
      default = null;
      description = "Without effect, with a warning: no image carries a password.";
    });
    config = lib.mkMerge [
      (mkIf config.isNormalUser {
        group = mkDefault "users";
        createHome = mkDefault true;
        home = mkDefault "/home/${config.name}";
        homeMode = mkDefault "700";
        useDefaultShell = mkDefault true;
        isSystemUser = mkDefault false;
      })
      (mkIf config.useDefaultShell { shell = mkDefault cfg.defaultUserShell; })
    ];
  });

  group = types.submodule ({ name, ... }: {
    options = {
      name = mkOption { type = types.passwdEntry types.str; default = name; description = "The group's name."; };
      gid = mkOption { type = types.nullOr types.int; default = null; description = "The number; null: allotted."; };
      members = mkOption { type = types.listOf (types.passwdEntry types.str); default = [ ]; description = "Users in it, besides those whose extraGroups have it."; };
    };
  });

  # { name = number } of the entries: what they say, else a known number, else the next free one from
  # `first` on in steps of `step`.
  allot = { first, step, taken }: names:
    (lib.foldl'
      ({ next, given }: name:
        let number = (lib.findFirst (n: !taken ? ${toString n}) null (lib.genList (i: next + step * i) 1000)); in
        { next = number + step; given = given // { ${name} = number; }; })
      { next = first; given = { }; }
      names).given;
  numbersOf = known: field: entries: lib.concatMapAttrs
    (_: entry:
      if entry.${field} != null then { ${entry.name} = entry.${field}; }
      else if known ? ${entry.name} then { ${entry.name} = known.${entry.name}; }
      else { })
    entries;
  takenBy = numbers: lib.listToAttrs (map (n: lib.nameValuePair (toString n) true) (attrValues numbers));

  users = lib.filterAttrs (_: user: user.enable) cfg.users;
  fixedUids = numbersOf uids "uid" users;
  openUsers = filter (user: !fixedUids ? ${user.name}) (attrValues users);
  uidOf = fixedUids
    // allot { first = 1000; step = 1; taken = takenBy fixedUids; } (map (u: u.name) (filter (u: u.isNormalUser) openUsers))
    // allot { first = 999; step = -1; taken = takenBy fixedUids; } (map (u: u.name) (filter (u: !u.isNormalUser) openUsers));
  fixedGids = numbersOf gids "gid" cfg.groups;
  gidOf = fixedGids
    // allot { first = 999; step = -1; taken = takenBy fixedGids; }
      (filter (name: !fixedGids ? ${name}) (map (g: g.name) (attrValues cfg.groups)));

  shellOf = user:
    if user.shell == null then "/run/current-system/sw/bin/nologin"
    else config.lib.shells.pathOf user.shell;
  membersOf = group: lib.unique (group.members
    ++ map (user: user.name) (filter (user: lib.elem group.name user.extraGroups) (attrValues users)));
  byNumber = numbers: lib.sortOn (entry: numbers.${entry.name});
in
{
  imports = [
    (lib.mkAliasOptionModule [ "users" "extraUsers" ] [ "users" "users" ])
    (lib.mkAliasOptionModule [ "users" "extraGroups" ] [ "users" "groups" ])
  ];

  options.users = {
    users = mkOption {
      type = types.attrsOf user;
      default = { };
      example = { alice = { isNormalUser = true; extraGroups = [ "wheel" ]; }; };
      description = "The users.";
    };
    groups = mkOption { type = types.attrsOf group; default = { }; description = "The groups."; };
    defaultUserShell = mkOption {
      type = types.either types.path types.shellPackage;
      default = "/run/current-system/sw/bin/sh";
      description = "The shell of those who have no other.";
    };
    mutableUsers = mkOption { type = types.bool; default = true; description = "Whether users can be changed on a running node. Nothing lasts beyond a reboot in any case."; };
    allowNoPasswordLogin = mkOption { type = types.bool; default = false; description = "Without effect: nobody logs in by password."; };
    enforceIdUniqueness = mkOption { type = types.bool; default = true; description = "Whether two users (or groups) with one number are an error."; };
    motd = mkOption { type = types.nullOr types.lines; default = null; description = "What is shown after login."; };
  };

  config = {
    users.users = {
      root = { uid = 0; description = "System administrator"; home = "/root"; shell = mkDefault cfg.defaultUserShell; group = "root"; isSystemUser = mkDefault true; };
      nobody = { uid = 65534; isSystemUser = true; description = "Unprivileged account (don't use!)"; group = "nogroup"; };
    };
    users.groups = lib.genAttrs (attrNames gids) (_: { });

    environment.systemPackages = lib.concatMap (user: user.packages) (attrValues users);
    environment.etc.motd = mkIf (cfg.motd != null) { text = cfg.motd; };

    warnings = lib.concatMap
      (user:
        let given = filter (secret: user.${secret} != null) secrets; in
        lib.optional (given != [ ])
          "users.users.${user.name}.${lib.head given} is without effect: no image carries a password; nodes are entered by SSH keys")
      (attrValues users);

    assertions =
      let
        twice = what: numbers: lib.mapAttrsToList
          (number: names: {
            assertion = !cfg.enforceIdUniqueness || lib.length names < 2;
            message = "the ${what} ${lib.concatStringsSep " and " names} have the same number ${number}";
          })
          (lib.groupBy (name: toString numbers.${name}) (attrNames numbers));
      in
      lib.concatMap
        (user: [
          {
            assertion = user.isNormalUser != user.isSystemUser || user.name == "root";
            message = "exactly one of users.users.${user.name}.isSystemUser and users.users.${user.name}.isNormalUser must be true";
          }
          {
            assertion = user.group != "";
            message = "users.users.${user.name}.group is not set; give it a group of its own: users.users.${user.name}.group = \"${user.name}\"; users.groups.${user.name} = { };";
          }
          {
            assertion = user.group == "" || gidOf ? ${user.group};
            message = "users.users.${user.name}.group is ${user.group}, but there is no such group; users.groups.${user.group} = { }; makes it";
          }
        ])
        (attrValues users)
      ++ twice "users" uidOf ++ twice "groups" gidOf;

    system.build.accounts = {
      passwd = lib.concatMapStrings
        (user: "${user.name}:x:${toString uidOf.${user.name}}:${toString (gidOf.${user.group} or 65534)}:${user.description}:${user.home}:${shellOf user}\n")
        (byNumber uidOf (attrValues users));
      group = lib.concatMapStrings
        (group: "${group.name}:x:${toString gidOf.${group.name}}:${lib.concatStringsSep "," (membersOf group)}\n")
        (byNumber gidOf (attrValues cfg.groups));
      # `*`: no password lets in; keys do.
      shadow = lib.concatMapStrings (user: "${user.name}:*:1::::::\n") (byNumber uidOf (attrValues users));
      homes = map (user: { path = user.home; user = user.name; inherit (user) group; mode = user.homeMode; })
        (filter (user: user.createHome) (attrValues users));
      authorizedKeys = lib.filterAttrs (_: keys: keys != [ ]) (lib.mapAttrs'
        (_: user: lib.nameValuePair user.name (user.openssh.authorizedKeys.keys
          ++ lib.concatMap (file: filter (line: line != "") (lib.splitString "\n" (builtins.readFile file))) user.openssh.authorizedKeys.keyFiles))
        users);
    };
  };
}
