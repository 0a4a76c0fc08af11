"""What becomes of a role's services: their configuration and units."""

from __future__ import annotations

from tests.nix.evaluation import etc, lines, value_of


def test_nginx_configuration() -> None:
    configuration = """{
      services.nginx = {
        enable = true;
        upstreams.app.servers = { "10.0.0.1:80".weight = 2; "10.0.0.2:80".backup = true; };
        virtualHosts."example.org" = {
          serverAliases = [ "www.example.org" ];
          default = true;
          root = "/srv/www";
          locations."/".tryFiles = "$uri =404";
          locations."/app" = { proxyPass = "http://app"; proxyWebsockets = true; priority = 10; };
          extraConfig = "add_header X-A b;";
        };
        virtualHosts.secure = { onlySSL = true; sslCertificate = "/c.pem"; sslCertificateKey = "/k.pem"; };
      };
    }"""
    text = etc(configuration, "nginx/nginx.conf")["text"]
    wanted = [
        "listen 0.0.0.0:80 default_server;",
        "server_name example.org www.example.org;",
        "root /srv/www;",
        "try_files $uri =404;",
        "proxy_pass http://app;",
        "server 10.0.0.1:80 weight=2;",
        "server 10.0.0.2:80 backup;",
        "add_header X-A b;",
        "listen 0.0.0.0:443 ssl http2;",
        "ssl_certificate /c.pem;",
    ]
    missing = [line for line in wanted if line not in text]
    assert not missing, text
    assert text.index("location /app") < text.index("location / ")
    assert text.count("{") == text.count("}")


def test_nginx_configuration_of_ones_own() -> None:
    text = etc(
        '{ services.nginx = { enable = true; config = "events { } http { server { listen 80; } }"; }; }',
        "nginx/nginx.conf",
    )["text"]
    assert "server { listen 80; }" in text
    assert "mime.types" not in text


def test_redis_servers() -> None:
    configuration = """{
      services.redis.servers."" = { enable = true; };
      services.redis.servers.cache = {
        enable = true; port = 7000; bind = null; settings.maxmemory = "64mb"; openFirewall = true;
      };
      services.redis.servers.off.port = 1;
    }"""
    found = value_of(configuration, "{ units = lib.attrNames build.units; inherit (build) firewall; }")
    assert {"redis.service", "redis-cache.service"} <= set(found["units"])
    assert "redis-off.service" not in found["units"]
    assert found["firewall"]["tcp"] == [7000]
    text = etc(configuration, "redis-cache/redis.conf")["text"]
    assert {"port 7000", "maxmemory 64mb", "protected-mode no"} <= set(lines(text))
    assert "port 6379" in lines(etc(configuration, "redis/redis.conf")["text"])


def test_postgresql() -> None:
    configuration = """{
      services.postgresql = {
        enable = true;
        enableTCPIP = true;
        settings = { port = 5433; max_connections = 7; log_connections = true; search_path = "it's"; };
        authentication = "host all all 10.0.0.0/8 trust";
        ensureDatabases = [ "app" ];
        ensureUsers = [
          { name = "app"; ensureDBOwnership = true; ensureClauses = { createdb = true; login = false; }; }
        ];
      };
    }"""
    text = lines(etc(configuration, "postgresql/postgresql.conf")["text"])
    assert {
        "port = 5433",
        "max_connections = 7",
        "log_connections = true",
        "search_path = 'it''s'",
        "listen_addresses = '*'",
    } <= set(text)
    assert lines(etc(configuration, "postgresql/pg_hba.conf")["text"])[0] == "host all all 10.0.0.0/8 trust"
    script = value_of(configuration, 'build.scripts."postgresql-post-start"')
    assert 'CREATE DATABASE "app"' in script
    assert 'ALTER ROLE "app" CREATEDB NOLOGIN' in script
    assert 'ALTER DATABASE "app" OWNER TO "app"' in script


def test_slurm() -> None:
    configuration = """{
      services.slurm = {
        server.enable = true;
        controlMachine = "ctl";
        nodeName = [ "n[1-3] CPUs=1" ];
        partitionName = [ "debug Nodes=n[1-3] Default=YES" ];
        extraConfig = "SlurmdDebug=debug";
      };
    }"""
    text = lines(etc(configuration, "slurm/slurm.conf")["text"])
    assert {
        "SlurmctldHost=ctl(ctl)",
        "NodeName=n[1-3] CPUs=1",
        "PartitionName=debug Nodes=n[1-3] Default=YES",
        "SlurmdDebug=debug",
    } <= set(text)
    units = value_of(configuration, "lib.attrNames build.units")
    assert {"slurmctld.service", "munged.service"} <= set(units)
    assert "slurmd.service" not in units
