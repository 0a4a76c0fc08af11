-- Network cards: found by MAC, configured by busybox's ip.
local command = require "nxc.command"
local file = require "nxc.file"
local linux = require "nxc.linux"
local loop = require "nxc.loop"

local network = {}

local SYS = "/sys/class/net"

--- The name of the card with this MAC, or nil.
function network.card(mac)
  for _, name in ipairs(linux.list(SYS)) do
    if (file.read(SYS .. "/" .. name .. "/address") or ""):match("%S+") == mac:lower() then return name end
  end
  return nil
end

--- In a task: the card once the kernel has it; nil and a sentence after five seconds.
function network.await_card(mac)
  local name
  local found = loop.wait_until(function()
    name = network.card(mac)
    return name
  end, 5)
  if found then return name end
  return nil, "no network card has the address " .. mac
end

--- In a task: gives a card its address. All values were checked when the document was read.
function network.configure(name, address, gateway)
  local script = ("ip link set '%s' up; ip addr replace '%s' dev '%s'"):format(name, address, name)
  if gateway then script = script .. ("; ip route replace default via '%s' dev '%s'"):format(gateway, name) end
  local code, output = command.sh(script, { timeout = 10 })
  if code == 0 then return true end
  return nil, ("cannot configure %s: %s"):format(name, output)
end

--- In a task: the cards of a list of { mac, address, gateway }; true, or nil and the first error.
function network.configure_all(interfaces)
  for _, interface in ipairs(interfaces) do
    local name, why = network.await_card(interface.mac)
    if not name then return nil, why end
    local done, problem = network.configure(name, interface.address, interface.gateway)
    if not done then return nil, problem end
  end
  return true
end

--- { mac, address } of nxc.net=MAC,ADDRESS/LENGTH[,GATEWAY]; nil and a sentence where it is not valid.
function network.parse(text)
  local mac, address, gateway = text:match("^(%x%x:%x%x:%x%x:%x%x:%x%x:%x%x),(%d+%.%d+%.%d+%.%d+/%d+),?([%d.]*)$")
  if not mac then return nil, "nxc.net is not MAC,ADDRESS/LENGTH: " .. text end
  return { mac = mac:lower(), address = address, gateway = gateway ~= "" and gateway or nil }
end

--- Cards (not loopback) that have no address yet.
function network.unconfigured()
  local list = {}
  for _, name in ipairs(linux.list(SYS)) do
    local kind = file.read(SYS .. "/" .. name .. "/type")
    if name ~= "lo" and tonumber(kind) == 1 and (file.read(SYS .. "/" .. name .. "/flags") or ""):match("0x%x*[02468ace]%s") then
      list[#list + 1] = name
    end
  end
  return list
end

--- In a task: asks for an address by DHCP on every card that has none yet, all at once; at most so many seconds.
function network.dhcp(script, timeout)
  local open, done = 0, nil
  for _, name in ipairs(network.unconfigured()) do
    open = open + 1
    loop.task(function()
      command.sh(("ip link set '%s' up; exec udhcpc -q -n -f -t 5 -T 2 -s '%s' -i '%s'"):format(name, script, name), { timeout = timeout })
      open = open - 1
      if open == 0 and done then done() end
    end)
  end
  if open > 0 then loop.wait(function(wake) done = wake end, timeout) end
end

return network
