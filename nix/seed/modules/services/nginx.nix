# The web server nginx, and its configuration file from virtual hosts.
{ config, lib, pkgs, ... }:
let
  inherit (lib) concatMapStrings concatStringsSep mkEnableOption mkIf mkOption optionalString types;
  cfg = config.services.nginx;
  hosts = import ./nginx-hosts.nix lib;

  text = description: mkOption { type = types.lines; default = ""; inherit description; };
  optionalText = description: mkOption { type = types.nullOr types.str; default = null; inherit description; };
  recommended = what: mkOption { type = types.bool; default = false; description = "Whether to use settings that are good for ${what}."; };

  listenOf = host:
    let
      addresses = if host.listenAddresses != [ ] then host.listenAddresses else cfg.defaultListenAddresses;
      https = host.addSSL || host.onlySSL || host.forceSSL;
      on = port: ssl: map (addr: { inherit addr port ssl; extraParameters = [ ]; }) addresses;
    in
    if host.listen != [ ] then
      map (l: l // { port = if l.port != null then l.port else if l.ssl then cfg.defaultSSLListenPort else cfg.defaultHTTPListenPort; }) host.listen
    else lib.optionals (!host.onlySSL) (on cfg.defaultHTTPListenPort false) ++ lib.optionals https (on cfg.defaultSSLListenPort true);
  listenLine = host: l:
    "    listen ${l.addr}:${toString l.port}${optionalString l.ssl " ssl${optionalString host.http2 " http2"}"}${optionalString host.default " default_server"}${concatMapStrings (p: " ${p}") l.extraParameters};\n";

  proxyHeaders = ''
    proxy_set_header Host $host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $host;
    proxy_set_header X-Forwarded-Server $host;
  '';
  line = name: value: optionalString (value != null) "      ${name} ${toString value};\n";
  location = path: l: ''
    location ${path} {
    ${line "proxy_pass" l.proxyPass}${optionalString l.proxyWebsockets ''
          proxy_http_version 1.1;
          proxy_set_header Upgrade $http_upgrade;
          proxy_set_header Connection $connection_upgrade;
    ''}${concatStringsSep "" (lib.mapAttrsToList (name: value: "      fastcgi_param ${name} \"${value}\";\n") l.fastcgiParams)}${line "index" l.index}${line "try_files" l.tryFiles}${line "root" l.root}${line "alias" l.alias}${line "return" l.return}${l.extraConfig}
    ${optionalString (l.proxyPass != null && (if l.recommendedProxySettings == null then cfg.recommendedProxySettings else l.recommendedProxySettings)) proxyHeaders}
    }
  '';
  locations = host: concatMapStrings (entry: location entry.path entry.location)
    (lib.sortOn (entry: entry.location.priority) (lib.mapAttrsToList (path: location: { inherit path location; }) host.locations));

  serverNames = name: host: concatStringsSep " " ([ (if host.serverName != null then host.serverName else name) ] ++ host.serverAliases);
  server = name: host:
    let
      body = ''
        ${concatMapStrings (listenLine host) (lib.filter (l: !host.forceSSL || l.ssl) (listenOf host))}
            server_name ${serverNames name host};
        ${optionalString (host.root != null) "    root ${toString host.root};"}
        ${optionalString (host.sslCertificate != null) "    ssl_certificate ${toString host.sslCertificate};\n    ssl_certificate_key ${toString host.sslCertificateKey};"}
        ${optionalString (host.basicAuthFile != null) "    auth_basic secured;\n    auth_basic_user_file ${toString host.basicAuthFile};"}
        ${optionalString (host.globalRedirect != null) "    location / { return ${toString host.redirectCode} http${optionalString (host.addSSL || host.onlySSL || host.forceSSL) "s"}://${host.globalRedirect}$request_uri; }"}
        ${locations host}
        ${host.extraConfig}
      '';
    in
    optionalString host.forceSSL ''
      server {
      ${concatMapStrings (listenLine host) (lib.filter (l: !l.ssl) (listenOf host))}
          server_name ${serverNames name host};
          location / { return ${toString host.redirectCode} https://$host$request_uri; }
      }
    '' + "server {\n${body}}\n";

  upstream = name: u: ''
    upstream ${name} {
    ${concatStringsSep "" (lib.mapAttrsToList (server: options: "    server ${server}${concatStringsSep "" (lib.mapAttrsToList (k: v: if v == true then " ${k}" else if v == false then "" else " ${k}=${toString v}") options)};\n") u.servers)}
    ${u.extraConfig}
    }
  '';

  http = ''
    http {
      include ${pkgs.nginx-common}/etc/nginx/mime.types;
      default_type application/octet-stream;
      include ${pkgs.nginx-common}/etc/nginx/fastcgi.conf;
      include ${pkgs.nginx-common}/etc/nginx/uwsgi_params;
      client_body_temp_path /var/cache/nginx/client_body;
      proxy_temp_path /var/cache/nginx/proxy;
      fastcgi_temp_path /var/cache/nginx/fastcgi;
      uwsgi_temp_path /var/cache/nginx/uwsgi;
      scgi_temp_path /var/cache/nginx/scgi;
      access_log /var/log/nginx/access.log;
      ${optionalString cfg.recommendedOptimisation "sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_timeout 65;"}
      ${optionalString cfg.recommendedGzipSettings "gzip on; gzip_static on; gzip_vary on; gzip_comp_level 5; gzip_min_length 256; gzip_proxied expired no-cache no-store private auth; gzip_types application/atom+xml application/javascript application/json application/xml image/svg+xml text/css text/javascript text/plain text/xml;"}
      ${optionalString cfg.recommendedTlsSettings "ssl_session_timeout 1d; ssl_session_cache shared:SSL:10m; ssl_session_tickets off; ssl_prefer_server_ciphers off;"}
      ${optionalString cfg.recommendedProxySettings "proxy_redirect off; proxy_connect_timeout ${cfg.proxyTimeout}; proxy_send_timeout ${cfg.proxyTimeout}; proxy_read_timeout ${cfg.proxyTimeout}; proxy_http_version 1.1; proxy_set_header Connection \"\";"}
      map $http_upgrade $connection_upgrade { default upgrade; ''' close; }
      client_max_body_size ${cfg.clientMaxBodySize};
      server_tokens ${if cfg.serverTokens then "on" else "off"};
      ${cfg.commonHttpConfig}
      ${concatStringsSep "" (lib.mapAttrsToList upstream cfg.upstreams)}
      ${optionalString cfg.statusPage ''
        server {
          listen 127.0.0.1:${toString cfg.defaultHTTPListenPort};
          server_name localhost;
          location /nginx_status { stub_status on; access_log off; allow 127.0.0.1; deny all; }
        }
      ''}
      ${concatStringsSep "" (lib.mapAttrsToList server cfg.virtualHosts)}
      ${cfg.appendHttpConfig}
    }
  '';
  file = ''
    ${cfg.prependConfig}
    pid /run/nginx/nginx.pid;
    error_log ${cfg.logError};
    daemon off;
    user ${cfg.user} ${cfg.group};
    ${if cfg.config != "" then cfg.config else ''
      events { ${cfg.eventsConfig} }
      ${if cfg.httpConfig != "" then "http {\n${cfg.httpConfig}\n}\n" else http}
      ${optionalString (cfg.streamConfig != "") "stream {\n${cfg.streamConfig}\n}"}
    ''}
    ${cfg.appendConfig}
  '';
  # Without what only our layout leaves behind.
  tidy = lib.concatLines (lib.filter (l: lib.trim l != "") (lib.splitString "\n" file));
  secure = lib.filterAttrs (_: h: h.addSSL || h.onlySSL || h.forceSSL) cfg.virtualHosts;
in
{
  options.services.nginx = {
    enable = mkEnableOption "nginx, the web server";
    package = lib.mkPackageOption pkgs "nginx" { };
    user = mkOption { type = types.str; default = "nginx"; description = "The user of its workers."; };
    group = mkOption { type = types.str; default = "nginx"; description = "Their group."; };
    virtualHosts = mkOption {
      type = types.attrsOf hosts.virtualHost;
      default = { };
      example = { "localhost".root = "/srv/www"; };
      description = "What it serves, by host name.";
    };
    upstreams = mkOption { type = types.attrsOf hosts.upstream; default = { }; description = "Groups of servers that requests are handed on to."; };
    defaultListenAddresses = mkOption { type = types.listOf types.str; default = [ "0.0.0.0" ] ++ lib.optional config.networking.enableIPv6 "[::0]"; defaultText = "all"; description = "Addresses of hosts that name none."; };
    defaultHTTPListenPort = mkOption { type = types.port; default = 80; description = "The port for HTTP."; };
    defaultSSLListenPort = mkOption { type = types.port; default = 443; description = "The port for HTTPS."; };
    clientMaxBodySize = mkOption { type = types.str; default = "10m"; description = "The largest request."; };
    serverTokens = mkOption { type = types.bool; default = false; description = "Whether it tells its version."; };
    statusPage = mkOption { type = types.bool; default = false; description = "Whether http://localhost/nginx_status tells what it does."; };
    proxyTimeout = mkOption { type = types.str; default = "60s"; description = "How long it waits for other servers, with recommendedProxySettings."; };
    logError = mkOption { type = types.str; default = "stderr"; description = "Where errors go; stderr is the journal."; };
    recommendedOptimisation = recommended "speed";
    recommendedGzipSettings = recommended "compression";
    recommendedTlsSettings = recommended "TLS";
    recommendedProxySettings = recommended "proxies";
    recommendedBrotliSettings = mkOption { type = types.bool; default = false; description = "Without effect: Debian's nginx has no brotli."; };
    config = text "The configuration but for the process's settings, in place of all that other options say.";
    prependConfig = text "Lines at the configuration's begin.";
    appendConfig = text "Lines at the configuration's end.";
    httpConfig = text "The http block's content, in place of virtualHosts.";
    commonHttpConfig = text "Lines at the http block's begin.";
    appendHttpConfig = text "Lines at the http block's end.";
    streamConfig = text "The stream block's content.";
    eventsConfig = text "The events block's content.";
    enableReload = mkOption { type = types.bool; default = false; description = "Without effect."; };
    preStart = text "Shell commands before it starts.";
    additionalModules = mkOption { type = types.listOf types.raw; default = [ ]; description = "Refused where it is not empty: nginx is Debian's."; };
    stateDir = optionalText "Without effect.";
  };

  config = mkIf cfg.enable {
    assertions = [
      { assertion = cfg.additionalModules == [ ]; message = "services.nginx.additionalModules: the seed's nginx is Debian's, as it is"; }
    ] ++ lib.mapAttrsToList
      (name: host: {
        assertion = host.sslCertificate != null && host.sslCertificateKey != null;
        message = "services.nginx.virtualHosts.\"${name}\" wants HTTPS: set sslCertificate and sslCertificateKey (paths on the node); there is no enableACME on the seed";
      })
      secure
    ++ lib.concatLists (lib.mapAttrsToList
      (name: host: lib.mapAttrsToList
        (path: l: {
          assertion = lib.count (x: x != null) [ l.proxyPass l.alias l.return ] <= 1;
          message = "services.nginx.virtualHosts.\"${name}\".locations.\"${path}\": only one of proxyPass, alias and return can be given";
        })
        host.locations)
      cfg.virtualHosts);
    warnings = lib.optional (cfg.virtualHosts == { } && cfg.config == "" && cfg.httpConfig == "" && cfg.appendHttpConfig == "" && cfg.streamConfig == "" && cfg.appendConfig == "")
      "services.nginx is enabled without a virtual host: it answers on no port; services.nginx.virtualHosts.default.root = \"/srv/www\" makes one";

    users.users = mkIf (cfg.user == "nginx") { nginx = { isSystemUser = true; inherit (cfg) group; description = "nginx"; }; };
    users.groups = mkIf (cfg.group == "nginx") { nginx = { }; };
    environment.etc."nginx/nginx.conf".text = tidy;
    systemd.services.nginx = {
      description = "Nginx Web Server";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network.target" ];
      after = [ "network.target" ];
      startLimitIntervalSec = 60;
      inherit (cfg) preStart;
      serviceConfig = {
        # The master is root, for ports below 1024; workers are `user`.
        ExecStartPre = lib.mkBefore [ "${cfg.package}/bin/nginx -e stderr -t -q -c /etc/nginx/nginx.conf" ];
        ExecStart = "${cfg.package}/bin/nginx -e stderr -c /etc/nginx/nginx.conf";
        ExecReload = [ "${cfg.package}/bin/nginx -e stderr -t -q -c /etc/nginx/nginx.conf" "${pkgs.busybox}/bin/kill -HUP $MAINPID" ];
        Restart = "always";
        RestartSec = "10s";
        RuntimeDirectory = "nginx";
        CacheDirectory = "nginx";
        LogsDirectory = "nginx";
      };
    };
  };
}
