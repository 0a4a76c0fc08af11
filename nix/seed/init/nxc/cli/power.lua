-- poweroff, reboot, halt, shutdown. With -f at once: services are not stopped.
local client = require "nxc.cli.client"
local linux = require "nxc.linux"

return function(given, name)
  local how, force = name, false
  for _, word in ipairs(given) do
    if word == "-f" or word == "--force" then force = true end
    if name == "shutdown" and word == "-r" then how = "reboot" end
    if name == "shutdown" and word == "-H" then how = "halt" end
    if word == "-c" then client.exit(0) end
  end
  if how == "shutdown" then how = "poweroff" end
  if force then
    linux.sync()
    linux.reboot(how)
    client.fail(1, "%s: the kernel refused", how)
  end
  client.ask { verb = how }
end
