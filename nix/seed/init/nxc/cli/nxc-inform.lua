-- nxc-inform: takes the deployment information anew (JSON on standard input) while the node runs. Hosts and authorized
-- keys follow; role and host never change. 0: applied; else a sentence on standard error.
local client = require "nxc.cli.client"
local document = require "nxc.boot.document"
local file = require "nxc.file"
local machine = require "nxc.boot.machine"
local system = require "nxc.boot.system"

return function()
  local found, why = document.parse(io.read("*a"))
  if not found then client.fail(1, "%s", why) end
  local role, host = (file.read("/etc/nxc/role") or ""):match("%S+"), (file.read("/etc/nxc/host") or ""):match("%S+")
  if found.role ~= role then client.fail(1, "this node has the role %s, which a running node keeps; the information says %s", role, found.role) end
  if found.host ~= host then client.fail(1, "this node is %s, which a running node stays; the information says %s", host, found.host) end
  local static = file.read("/run/current-system/etc/hosts") or "127.0.0.1 localhost\n::1 localhost\n"
  if not machine.is_container(os.getenv) then -- there the engine knows the names
    local done, problem = file.replace("/etc/hosts", document.hosts_file(static, found.hosts))
    if not done then client.fail(1, "%s", problem) end
  end
  system.authorized_keys("/run/current-system", found.authorizedKeys)
end
