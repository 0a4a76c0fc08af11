# nxc-inform: gives this node its deployment information.
#   nxc-inform --boot     at boot: what stage 1 left in /run/nxc
#   nxc-inform < FILE     later: the whole new document; hosts and keys are taken over, role and host never change
# Exit status 0 when applied; else one sentence on standard error.
set -u
etc=${NXC_ETC-/etc}
run=${NXC_RUN-/run}
state=$run/nxc

fail() { echo "nxc-inform: $*" >&2; exit 1; }
replace() { # file mode: standard input takes the file's place in one step, unless it is a mount (a container's)
  mkdir -p "$(dirname "$1")"
  cat > "$1.nxc" && chmod "$2" "$1.nxc"
  mv -fT "$1.nxc" "$1" 2> /dev/null || { cat "$1.nxc" > "$1" && rm -f "$1.nxc"; }
}

document=$state/deployment.json
if [ "${1-}" != --boot ]; then
  umask 077
  document=$(mktemp "$state/new.XXXXXX") || fail "this node has no place for information: $state"
  trap 'rm -f "$document"' EXIT
  head -c 16777216 > "$document"
  jq -e -s 'length == 1 and .[0].version == 1' "$document" > /dev/null 2>&1 || fail "that is not a document of version 1"
  for field in deployment node role host; do
    [ "$(jq -r ".$field // empty" "$document")" = "$(jq -r ".$field // empty" "$state/deployment.json")" ] \
      || fail "the document is for another $field: $(jq -r ".$field // empty" "$document")"
  done
fi

hosts() {
  cat "$etc/static/hosts" 2> /dev/null || printf '127.0.0.1 localhost\n::1 localhost\n'
  jq -r '.hosts // {} | to_entries[] | ([.value.address, .key] + (.value.aliases // [])) | join(" ")' "$document"
}
hosts | replace "$etc/hosts" 644
jq -r '(.authorizedKeys // [])[]' "$document" | replace "$state/authorized_keys.d/root" 644
chmod 755 "$state/authorized_keys.d"

# Where compositions written for nixos-compose look.
jq -r .role "$document" | replace "$etc/nxc/role" 644
jq -r .host "$document" | replace "$etc/nxc/hostname" 644
jq 'del(.report)' "$document" | replace "$etc/nxc/deployment.json" 644

if [ "${1-}" = --boot ]; then
  jq -r .host "$document" > "${NXC_HOSTNAME-/proc/sys/kernel/hostname}" || fail "the host's name cannot be set"
else
  mv -f "$document" "$state/deployment.json"
fi
