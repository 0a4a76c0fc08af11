# Stage 1 of a node, or the start of a container: finds the deployment information, checks it, and chooses the role.
#
# Information comes on the kernel command line (a container: in the environment of PID 1), as one of
#   nxc.info=<base64url of JSON>
#   nxc.url=<http url> nxc.sha256=<hex> [nxc.net=<mac>,<address/bits>]     # the card to ask by, else DHCP
#   nxc.standalone=1 nxc.role=<role>                                       # a test boot without a deployment
# and leaves in /run/nxc: deployment.json, role, host, toplevel; and in /run/systemd/network a file a network card.
# Whatever is wrong stands on the console, and the node stays as it is: no role starts with wrong information.
#
# $NXC_ROOT: where the node's root is mounted; $NXC_ROLES: a file of roles and their systems, a line each, or
# $NXC_TOPLEVEL: the one system that there is (a container). The rest is for tests.
set -u
root=${NXC_ROOT-/sysroot}
roles=${NXC_ROLES-/nxc/roles}
cmdline=${NXC_CMDLINE-/proc/cmdline}
run=${NXC_RUN-/run}
console=${NXC_CONSOLE-/dev/console}
patience=${NXC_PATIENCE-600}
limit=16777216 # bytes of a document

state=$run/nxc
mkdir -p "$state" "$state/timings"
since_kernel() { cut -d ' ' -f 1 "${NXC_UPTIME-/proc/uptime}" > "$state/timings/$1"; }

stay() {
  echo "$*" > "$state/error"
  { echo "nxc: $*"; echo "nxc: this node stays unconfigured: no role is started"; } | tee -a "$console" >&2
  report=$(jq -r '.report // empty' "$state/deployment.json" 2> /dev/null)
  if [ -n "$report" ]; then
    jq -n --arg error "$*" '{$error}' \
      | curl --silent --show-error --max-time 5 --retry 5 -H 'Content-Type: application/json' --data-binary @- "$report"
  fi
  [ -n "${NXC_UNATTENDED-}" ] && exit 1
  exec sleep infinity
}

info="" url="" sha256="" net="" standalone="" role="" init=""
for word in $(tr '\0\n' '  ' < "$cmdline"); do
  case $word in
    nxc.info=* | NXC_INFO=*) info=${word#*=} ;;
    nxc.url=* | NXC_URL=*) url=${word#*=} ;;
    nxc.sha256=* | NXC_SHA256=*) sha256=${word#*=} ;;
    nxc.net=*) net=${word#*=} ;;
    nxc.standalone=* | NXC_STANDALONE=*) standalone=${word#*=} ;;
    nxc.role=* | NXC_ROLE=*) role=${word#*=} ;;
    init=*) init=${word#*=} ;;
  esac
done

card_of() { # mac address
  for card in /sys/class/net/*; do
    [ "$(cat "$card/address" 2> /dev/null)" = "$1" ] && { echo "${card##*/}"; return; }
  done
  return 1
}

bring_up() {
  mac=${net%%,*} address=${net#*,}
  [ -z "$net" ] && { systemctl start --no-block systemd-networkd.service; return; }
  tries=0
  until card=$(card_of "$mac"); do
    tries=$((tries + 1))
    [ "$tries" -gt 300 ] && stay "there is no network card $mac (nxc.net) after 30 s"
    sleep 0.1
  done
  ip link set "$card" up && ip address replace "$address" dev "$card" || stay "the network card $card ($mac) does not take the address $address"
}

fetch() {
  tries=0
  until curl --fail --silent --show-error --max-time 5 --max-filesize "$limit" --output "$state/deployment.json" "$url"; do
    tries=$((tries + 1))
    [ "$tries" -ge "$patience" ] && stay "the deployment information does not come from $url"
    sleep 1
  done
}

umask 077
if [ -n "$info" ]; then
  case $((${#info} % 4)) in 2) info="$info==" ;; 3) info="$info=" ;; esac
  echo "$info" | tr '_-' '/+' | base64 -d > "$state/deployment.json" || stay "nxc.info is not base64url"
elif [ -n "$url" ]; then
  [ -n "$sha256" ] || stay "nxc.url is given without nxc.sha256"
  bring_up
  fetch
elif [ -n "$standalone" ] && [ -n "$role" ]; then
  jq -n --arg role "$role" '{version: 1, deployment: "", node: "", $role, host: $role, hosts: {}, authorizedKeys: [], interfaces: []}' \
    > "$state/deployment.json"
else
  stay "there is no deployment information: neither nxc.info nor nxc.url is given"
fi
if [ -n "$sha256" ]; then
  found=$(sha256sum "$state/deployment.json" | cut -d ' ' -f 1)
  [ "$found" = "$sha256" ] || stay "the deployment information has the sha256 $found, not $sha256 as the command line says"
fi

jq -e -s '
  def is_name: type == "string" and test("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$");
  length == 1 and (.[0] | .version == 1 and (.role | is_name) and (.host | is_name)
  and ((.hosts // {}) | type == "object" and all(.[]; .address | type == "string" and test("^[0-9a-fA-F.:]+$")))
  and ((.authorizedKeys // []) | type == "array" and all(.[]; type == "string"))
  and ((.interfaces // []) | type == "array" and all(.[]; (.mac | type == "string" and test("^[0-9a-fA-F:]{17}$"))
    and (.address | type == "string" and test("^[0-9a-fA-F.:]+/[0-9]+$")))))
' "$state/deployment.json" > /dev/null 2>&1 || stay "the deployment information is not a document of version 1"
since_kernel information

role=$(jq -r .role "$state/deployment.json")
toplevel=${NXC_TOPLEVEL-$(while read -r name path; do [ "$name" = "$role" ] && echo "$path"; done < "$roles")}
[ -n "$toplevel" ] || stay "the image has no role $role; it has $(cut -d ' ' -f 1 "$roles" | tr '\n' ' ')"
case $init in
  /nix/store/*) [ "$init" = "$toplevel/init" ] || stay "init= names another system than that of role $role, $toplevel" ;;
esac

echo "$role" > "$state/role"
jq -r .host "$state/deployment.json" > "$state/host"
echo "$toplevel" > "$state/toplevel"

mkdir -p "$run/systemd/network"
jq -r '(.interfaces // [])[] | "\(.mac) \(.address) \(.gateway // "")"' "$state/deployment.json" \
  | while read -r mac address gateway; do
    {
      printf '[Match]\nMACAddress=%s\n[Network]\nDHCP=no\nLinkLocalAddressing=no\nAddress=%s\n' "$mac" "$address"
      [ -n "$gateway" ] && printf 'Gateway=%s\n' "$gateway"
    } > "$run/systemd/network/10-nxc-$(echo "$mac" | tr -d :).network"
  done
chmod 755 "$state" "$state/timings" "$run/systemd" "$run/systemd/network"
chmod 644 "$state/role" "$state/host" "$state/toplevel" "$run"/systemd/network/10-nxc-*.network 2> /dev/null

# systemd leaves for nothing but an operating system; a role without NixOS's own stage 1 has made none of it yet.
mkdir -p "$root/usr/lib"
[ -e "$root/usr/lib/os-release" ] || echo 'ID=nixos' > "$root/usr/lib/os-release"

# What `init=` of an image for every role stands for.
mkdir -p "$root/nxc"
ln -sfn "$toplevel" "$root/nxc/system"
