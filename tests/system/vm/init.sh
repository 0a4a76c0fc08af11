#!/bin/sh
export PATH=/bin
busybox=@busybox@/bin/busybox
$busybox mount -t proc proc /proc
$busybox --install -s /bin
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts
mount -t devpts pts /dev/pts
mount -t tmpfs tmpfs /run
exec > /dev/console 2>&1
for word in $(cat /proc/cmdline); do
  case $word in
    nxc.info=*) info=${word#*=} ;;
    nxc.url=*) url=${word#*=} ;;
    test.mode=*) mode=${word#*=} ;;
  esac
done
echo "tiny: up, mode ${mode:-good}"
case $mode in
  panic) exit 3 ;;
  off) poweroff -f ;;
  restart) reboot -f ;;
  hang) while :; do sleep 1000; done ;;
esac
modprobe -a virtio_pci virtio_net
tries=0
while [ ! -e /sys/class/net/eth1 ] && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
if [ -n "$info" ]; then
  while [ $((${#info} % 4)) != 0 ]; do info="$info="; done
  echo "$info" | tr -- -_ +/ | base64 -d > /run/deployment.json
else
  until wget -q -O /run/deployment.json "$url"; do sleep 1; done
fi
field() { sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p' /run/deployment.json; }
hostname "$(field host)"
address=$(sed -n 's/.*"interfaces":.*"address":"\(10\.1\.[^"]*\)".*/\1/p' /run/deployment.json)
ip link set eth1 up
ip addr add "$address" dev eth1
{
  echo 127.0.0.1 localhost
  sed 's/.*"hosts":{\(.*\)},"interfaces".*/\1/; s/},"/}\n"/g' /run/deployment.json |
    sed 's/^"\([^"]*\)":{"address":"\([^"]*\)".*/\2 \1/'
} > /etc/hosts
sed 's/.*"authorizedKeys":\[\([^]]*\)\].*/\1/; s/","/\n/g; s/"//g' /run/deployment.json > /root/.ssh/authorized_keys
chmod 700 /root /root/.ssh
chmod 600 /root/.ssh/authorized_keys
@dropbear@/bin/dropbearkey -t ed25519 -f /etc/dropbear/key > /run/key 2>&1
key=$(grep ^ssh- /run/key | cut -d' ' -f1,2)
@dropbear@/bin/dropbear -E -s -r /etc/dropbear/key
system=@busybox@
[ "$mode" != wrong ] || system=/nix/store/something-else
digest=$(head -c -1 /proc/cmdline | sha256sum | cut -d' ' -f1)
body='{"hostKey":"'$key'","toplevel":"'$system'","kernel":"'$(uname -r)'","cmdlineSha256":"'$digest'","role":"'$(field role)'"}'
post() { wget -q -O /dev/null --post-data "$1" "$(field report)"; }
case $mode in
  mute) ;;
  error) until post '{"error":"the document is not for me"}'; do sleep 1; done ;;
  *) until post "$body"; do sleep 1; done ;;
esac
echo "tiny: reported"
[ "$mode" != second ] || post "$(echo "$body" | sed 's/ AAAA/ AAAB/')"
[ "$mode" != brief ] || { sleep 5; poweroff -f; }
[ "$mode" != flood ] || { while :; do echo "flood $tries"; tries=$((tries + 1)); done; }
while :; do sleep 1000; done
