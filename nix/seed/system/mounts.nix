# fileSystems as units: mounting them is a service that starts once. What comes over the network waits for it and tries
# again, because the server may be a node of the same deployment that boots later.
{ lib, pkgs }:
let
  inherit (builtins) any concatStringsSep elem filter listToAttrs map replaceStrings stringLength substring;
  remoteTypes = [ "nfs" "nfs4" ];
  busybox = "${pkgs.busybox}/bin/busybox";

  isRemote = fs: elem fs.fsType remoteTypes || elem "_netdev" fs.options;

  # systemd's escape of a path, for what occurs in mount points: srv-data of /srv/data.
  unitName = path:
    let trimmed = substring 1 (stringLength path) path;
    in (if trimmed == "" then "-" else replaceStrings [ "-" "/" ] [ "\\x2d" "-" ] trimmed) + ".mount";

  # Options that only say when and how to mount.
  plain = filter (option: !(elem option [ "_netdev" "nofail" "noauto" "auto" "defaults" ] || any (prefix: lib.hasPrefix prefix option) [ "x-" "comment=" ]));

  mount = fs:
    let
      options = plain fs.options;
      given = if options == [ ] then "" else " -o ${lib.escapeShellArg (concatStringsSep "," options)}";
      where = lib.escapeShellArg fs.mountPoint;
      device = lib.escapeShellArg fs.device;
      program =
        if elem fs.fsType remoteTypes then "exec ${pkgs.nfs-utils}/bin/mount.nfs ${device} ${where}${given}"
        else "exec ${busybox} mount -t ${fs.fsType}${given} ${device} ${where}";
    in
    { sh = "${busybox} sh -euc ${lib.escapeShellArg "${busybox} mkdir -p ${where}; ${program}"}"; };
in
fileSystems: listToAttrs (map (fs: {
  name = unitName fs.mountPoint;
  value = {
    kind = "mount";
    description = fs.mountPoint;
    type = "oneshot";
    remainAfterExit = true;
    execStart = [ (mount fs) ];
    execStop = [ { sh = "${busybox} umount ${lib.escapeShellArg fs.mountPoint}"; } ];
    after = if isRemote fs then [ "network-online.target" ] else [ ];
    wants = if isRemote fs then [ "network-online.target" ] else [ ];
    before = [ (if isRemote fs then "remote-fs.target" else "local-fs.target") ];
    wantedBy = if elem "noauto" fs.options then [ ] else [ (if isRemote fs then "remote-fs.target" else "local-fs.target") ];
    restart = if isRemote fs then "on-failure" else "no";
    restartMs = 2000;
    startLimitBurst = 0;
    timeoutStartMs = 150000;
  };
}) (filter (fs: fs.mountPoint != "/") fileSystems))
