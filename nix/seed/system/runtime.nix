# What every role runs beside its own services: PID 1's code, and the commands that speak with it.
{ pkgs }:
rec {
  # PID 1 and its tools, as they stand in the repository; run by LuaJIT.
  code = builtins.path { path = ../init; name = "nxc-init"; };

  interpreter = "${pkgs.luajit}/bin/luajit";
  shell = "${pkgs.busybox}/bin/busybox";

  tools = pkgs.run {
    name = "nxc-tools";
    inherit code interpreter;
    commands = "systemctl journalctl systemd-notify nxc-inform poweroff reboot halt shutdown";
    script = ''
      mkdir -p $out/bin
      for command in $commands; do
        case $command in
          poweroff | reboot | halt | shutdown) module=power ;;
          *) module=$command ;;
        esac
        printf '#!%s\njit.off()\npackage.path = "%s/?.lua"\nrequire("nxc.cli.%s")(arg, "%s")\n' \
          "$interpreter" "$code" "$module" "$command" > $out/bin/$command
      done
      chmod 755 $out/bin/*
      ln -s ${pkgs.openssh-sftp-server}/lib/openssh/sftp-server $out/bin/sftp-server
    '';
  };

  # The server that people and the controller come in by, where the role's services.openssh does not bring its own.
  sshd = port: {
    kind = "service";
    description = "SSH Daemon";
    type = "simple";
    restart = "always";
    restartMs = 100;
    startLimitBurst = 0;
    killMode = "process"; # sessions outlive a restart
    environment = { PATH = "/run/current-system/sw/bin:/bin"; };
    execStart = [ { sh = "${pkgs.dropbear}/bin/dropbear -F -E -s ${builtins.concatStringsSep " " (map (p: "-p ${toString p}") port)} -r ${hostKeyFile}"; } ];
    wantedBy = [ "multi-user.target" ];
  };

  hostKeyFile = "/etc/dropbear/dropbear_ed25519_host_key";

  # Makes the node's host key where it has none, and prints the public half.
  hostKey = ''
    #!${pkgs.busybox}/bin/sh
    set -eu
    key=${hostKeyFile}
    public=/etc/ssh/ssh_host_ed25519_key.pub
    if ! [ -s "$public" ]; then
      mkdir -p "''${key%/*}" "''${public%/*}"
      [ -s "$key" ] || ${pkgs.dropbear}/bin/dropbearkey -t ed25519 -f "$key" >/dev/null
      ${pkgs.dropbear}/bin/dropbearkey -y -f "$key" | grep '^ssh-ed25519 ' >"$public.new"
      mv "$public.new" "$public"
    fi
    cat "$public"
  '';
}
