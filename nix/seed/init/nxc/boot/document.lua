-- The deployment information of one node (JSON): read with suspicion, for a node must not start with half of it.
local json = require "nxc.json"

local document = {}

local function fail(text, ...) error({ document = text:format(...) }) end

local function text_of(value, what, pattern)
  if type(value) ~= "string" then fail("%s is no text", what) end
  if #value > 4096 or value:find("%c") then fail("%s is too long or has control characters", what) end
  if pattern and not value:find(pattern) then fail("%s is not valid: %q", what, value) end
  return value
end

local function array_of(value, what)
  if value == nil or value == json.null then return {} end
  if type(value) ~= "table" or getmetatable(value) ~= json.array then fail("%s is no list", what) end
  return value
end

local function object_of(value, what)
  if value == nil or value == json.null then return {} end
  if type(value) ~= "table" or getmetatable(value) == json.array then fail("%s is no object", what) end
  return value
end

local HOST = "^[%w][%w.-]*$"

local function is_ipv4(text)
  local parts = { text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$") }
  for _, part in ipairs(parts) do
    if tonumber(part) > 255 then return false end
  end
  return #parts == 4
end

local function address_of(value, what)
  text_of(value, what)
  if not is_ipv4(value) and not value:find("^[%x:]+:[%x:]*$") then fail("%s is no IP address: %q", what, value) end
  return value
end

local function network_of(value, what)
  local address, length = text_of(value, what):match("^(.+)/(%d+)$")
  if not address or tonumber(length) > (address:find(":", 1, true) and 128 or 32) then fail("%s is not ADDRESS/LENGTH: %q", what, value) end
  address_of(address, what)
  return value
end

local function hosts_of(value)
  local hosts = {}
  for name, entry in pairs(object_of(value, "hosts")) do
    local what = "hosts." .. name
    text_of(name, "a host's name", HOST)
    entry = object_of(entry, what)
    local aliases = {}
    for _, alias in ipairs(array_of(entry.aliases, what .. ".aliases")) do aliases[#aliases + 1] = text_of(alias, what .. ".aliases", HOST) end
    hosts[name] = { address = address_of(entry.address, what .. ".address"), aliases = aliases }
  end
  return hosts
end

local function interfaces_of(value)
  local list = {}
  for index, entry in ipairs(array_of(value, "interfaces")) do
    local what = ("interfaces[%d]"):format(index - 1)
    entry = object_of(entry, what)
    local gateway = entry.gateway
    if gateway == json.null then gateway = nil end
    list[index] = {
      mac = text_of(entry.mac, what .. ".mac", "^%x%x:%x%x:%x%x:%x%x:%x%x:%x%x$"):lower(),
      address = network_of(entry.address, what .. ".address"),
      gateway = gateway and address_of(gateway, what .. ".gateway"),
    }
  end
  return list
end

local function keys_of(value)
  local keys = {}
  for index, key in ipairs(array_of(value, "authorizedKeys")) do
    keys[index] = text_of(key, ("authorizedKeys[%d]"):format(index - 1), "^[%w@.-]+ [%w+/=]+")
  end
  return keys
end

local function checked(text)
  local raw, why = json.decode(text)
  if raw == nil then fail("it is no JSON: %s", why) end
  if type(raw) ~= "table" or getmetatable(raw) == json.array then fail("it is no object") end
  if raw.version ~= 1 then fail("its version is %s, and this image knows version 1", tostring(raw.version)) end
  local report = raw.report
  if report == json.null then report = nil end
  return {
    deployment = text_of(raw.deployment, "deployment"),
    role = text_of(raw.role, "role", "^[%w][%w._-]*$"),
    host = text_of(raw.host, "host", HOST),
    hosts = hosts_of(raw.hosts),
    authorizedKeys = keys_of(raw.authorizedKeys),
    interfaces = interfaces_of(raw.interfaces),
    report = report and text_of(report, "report", "^http://[^%s'\"]+$"),
    parameters = object_of(raw.parameters, "parameters"),
  }
end

--- What `text` tells this node; nil and one sentence where it is not valid.
function document.parse(text)
  local fine, result = pcall(checked, text)
  if fine then return result end
  if type(result) == "table" and result.document then return nil, "the deployment information is wrong: " .. result.document end
  error(result, 0)
end

--- /etc/hosts: the system's own lines, then the deployment's hosts.
function document.hosts_file(static, hosts)
  local lines, names = {}, {}
  for name in pairs(hosts) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    lines[#lines + 1] = table.concat({ hosts[name].address, name, unpack(hosts[name].aliases) }, " ")
  end
  return static:gsub("\n*$", "\n", 1) .. table.concat(lines, "\n") .. (#lines > 0 and "\n" or "")
end

return document
