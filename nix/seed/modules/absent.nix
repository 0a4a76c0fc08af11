# For an option that does not exist on the seed but does in NixOS: what to say. By prefix, as NixOS
# has some ten thousand options.
lib:
let
  prefixes = [
    "boot.binfmt" "boot.crashDump" "boot.enableContainers" "boot.extraSystemdUnitPaths" "boot.kernelPatches" "boot.plymouth"
    "boot.swraid" "boot.zfs" "containers" "environment.persistence" "gtk" "ids" "networking.bonds" "networking.bridges"
    "networking.macvlans" "networking.nat" "networking.nftables" "networking.sits" "networking.vlans" "networking.vswitches"
    "networking.wg-quick" "networking.wireguard" "networking.wlanInterfaces" "networking.proxy" "networking.resolvconf"
    "programs" "qt" "security" "services" "snapraid" "sound" "specialisation" "stubby" "system" "systemd.automounts"
    "systemd.generators" "systemd.mounts" "systemd.nspawn" "systemd.oomd" "systemd.packages" "systemd.paths" "systemd.repart"
    "systemd.sleep" "systemd.slices" "systemd.sockets" "systemd.timers" "systemd.units" "systemd.user" "systemd.extraConfig"
    "systemd.settings" "systemd.globalEnvironment" "systemd.managerEnvironment" "systemd.watchdog" "users.ldap" "users.mysql"
    "virtualisation"
  ];
  # Below these, only names that NixOS has: else a typing error would be called an option of NixOS.
  known = {
    programs = [
      "adb" "atop" "bandwhich" "bcc" "captive-browser" "ccache" "chromium" "direnv" "dconf" "firefox" "fish" "fuse" "git" "gnupg"
      "iftop" "iotop" "java" "k3b" "less" "mosh" "mtr" "neovim" "nix-ld" "npm" "screen" "singularity" "starship" "sysdig"
      "systemtap" "traceroute" "vim" "wireshark" "xonsh" "zsh"
    ];
    security = [ "acme" "apparmor" "audit" "auditd" "doas" "dhparams" "krb5" "ldap" "loginDefs" "pki" "polkit" "tpm2" "wrappers" "unprivilegedUsernsClone" "allowUserNamespaces" ];
    services = [
      "ananicy" "apache-kafka" "atd" "avahi" "beegfs" "bind" "borgbackup" "caddy" "cassandra" "ceph" "chrony" "clickhouse" "cloudflared"
      "cockroachdb" "consul" "coredns" "couchdb" "cron" "dask" "dnsmasq" "dokuwiki" "elasticsearch" "etcd" "fail2ban" "fluentd"
      "forgejo" "geoclue2" "gitea" "gitlab" "glusterfs" "grafana" "hadoop" "haproxy" "hydra" "httpd" "influxdb" "influxdb2" "ipfs"
      "jenkins" "jupyter" "jupyterhub" "k3s" "kafka" "kea" "keepalived" "keycloak" "kubernetes" "kubo" "logrotate" "loki" "lvm" "mariadb"
      "matrix-synapse" "memcached" "minio" "mongodb" "monit" "mosquitto" "mpd" "mysql" "nats" "netdata" "nextcloud" "nomad" "ntp"
      "oar" "openafsClient" "openldap" "openntpd" "openvpn" "orangefs" "pgbouncer" "phpfpm" "pipewire" "postfix" "printing" "prometheus"
      "promtail" "pulseaudio" "rabbitmq" "riemann" "rsyncd" "rsyslogd" "samba" "seaweedfs" "slurmrestd" "smartd" "solr" "spark" "squid"
      "syncthing" "sysstat" "tailscale" "tftpd" "telegraf" "tomcat" "tor" "traefik" "unbound" "uwsgi" "varnish" "vault" "vsftpd"
      "wordpress" "xinetd" "xserver" "zabbixServer" "zookeeper" "cgit" "tigervnc" "guacamole-server"
    ];
    system = [ "activationScripts" "autoUpgrade" "fsPackages" "nssModules" "requiredKernelConfig" "switch" "userActivationScripts" "nixos" "etc" "replaceDependencies" "tools" ];
  };
  isKnown = loc:
    let
      first = lib.head loc;
      second = lib.elemAt loc 1;
    in
    if known ? ${first} then lib.length loc > 1 && lib.elem second known.${first}
    else builtins.any (prefix: let p = lib.splitString "." prefix; in lib.take (lib.length p) loc == p) prefixes;
in
loc:
if isKnown loc then "the seed has no such option; with packageSource nixpkgs it exists" else null
