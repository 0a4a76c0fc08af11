"""Daemons of the seed at work, each in a build: the sandbox has a network of its own, with loopback only."""

from __future__ import annotations

import pytest

from tests.nix.seed_store import SeedStore

WAIT = """
wait_for() { # COMMAND...: until it succeeds, 10 s at most
  local tries=0
  until "$@" > /dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || { echo "not within 10 s: $*"; tail -n 20 *.log; exit 1; }
    usleep 100000
  done
}
"""

NGINX = """
mkdir www state
echo "hello world" > www/index.html
cat > nginx.conf <<END
daemon off; pid $PWD/state/pid; error_log stderr; events { }
http {
  access_log off; include ${pkgs.nginx-common}/etc/nginx/mime.types;
  client_body_temp_path $PWD/state/1; proxy_temp_path $PWD/state/2; fastcgi_temp_path $PWD/state/3;
  uwsgi_temp_path $PWD/state/4; scgi_temp_path $PWD/state/5;
  server { listen 127.0.0.1:8080; root $PWD/www; }
}
END
${pkgs.nginx}/bin/nginx -c $PWD/nginx.conf 2> nginx.log &
wait_for ${pkgs.curl}/bin/curl -sf http://127.0.0.1:8080/
${pkgs.curl}/bin/curl -sfi http://127.0.0.1:8080/ | tee $out
"""

REDIS = """
${pkgs.redis}/bin/redis-server --bind 127.0.0.1 > redis.log &
wait_for ${pkgs.redis}/bin/redis-cli ping
${pkgs.redis}/bin/redis-cli set greeting "hello world"
${pkgs.redis}/bin/redis-cli get greeting > $out
"""

MARIADB = """
${pkgs.busybox}/bin/sh ${pkgs.mariadb}/bin/mariadb-install-db --no-defaults --basedir=${pkgs.mariadb} \\
  --datadir=$PWD/data --auth-root-authentication-method=normal --skip-test-db > install.log 2>&1
${pkgs.mariadb}/bin/mariadbd --no-defaults --basedir=${pkgs.mariadb} --datadir=$PWD/data --socket=$PWD/socket \\
  --skip-networking > mariadb.log 2>&1 &
sql() { ${pkgs.mariadb}/bin/mysql --no-defaults --socket=$PWD/socket --user=root --batch --skip-column-names -e "$1"; }
wait_for sql "select 1"
sql "create database x; create table x.t (a int) engine=innodb"
sql "insert into x.t values (41 + 1); select a from x.t" > $out
"""

MUNGE = """
mkdir -m 700 munge
head -c 1024 /dev/urandom > munge/key
chmod 400 munge/key
${pkgs.munge}/bin/munged --force --socket=$PWD/socket --key-file=$PWD/munge/key --pid-file=$PWD/munge/pid \\
  --log-file=$PWD/munge/log --seed-file=$PWD/munge/seed
echo "hello world" | ${pkgs.munge}/bin/munge --socket=$PWD/socket > credential
${pkgs.munge}/bin/unmunge --socket=$PWD/socket < credential > $out
"""

IPERF = """
${pkgs.iperf3}/bin/iperf3 --forceflush --server --bind 127.0.0.1 > iperf.log &
wait_for grep -q listening iperf.log
${pkgs.iperf3}/bin/iperf3 --client 127.0.0.1 --time 1 --json | ${pkgs.jq}/bin/jq '.end.sum_received.bytes > 0' > $out
"""


@pytest.mark.parametrize(
    ("script", "says"),
    [
        pytest.param(NGINX, "hello world", id="nginx"),
        pytest.param(REDIS, "hello world", id="redis"),
        pytest.param(MARIADB, "42", id="mariadb"),
        pytest.param(MUNGE, "hello world", id="munge"),
        pytest.param(IPERF, "true", id="iperf3"),
    ],
)
def test_a_daemon_serves(seed_store: SeedStore, script: str, says: str) -> None:
    out = seed_store.build(seed_store.packages(f"pkgs.runCommand \"daemon\" {{ }} ''{WAIT}{script}''"))
    assert says in out.read_text()
