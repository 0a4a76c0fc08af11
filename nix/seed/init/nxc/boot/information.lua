-- Which node this is: from the kernel's parameters, or by HTTP with a digest on them.
local command = require "nxc.command"
local console = require "nxc.boot.console"
local document = require "nxc.boot.document"
local file = require "nxc.file"
local http = require "nxc.boot.http"
local linux = require "nxc.linux"
local network = require "nxc.boot.network"
local parameters = require "nxc.boot.parameters"

local information = {}

local PATIENCE = 900 -- seconds for which a server that does not answer is asked again
local FETCHED = "/run/nxc/deployment.json"

--- In a task: the hexadecimal SHA-256 of a file.
function information.sha256(path)
  local code, output = command.run { "/bin/busybox", "sha256sum", path }
  return code == 0 and output:match("^%x+") or nil
end

local function fetch(given)
  if not given["nxc.url"]:find("^http://[^%s'\"]+$") then return nil, "nxc.url is no http:// address" end
  if not (given["nxc.sha256"] or ""):find("^%x+$") or #given["nxc.sha256"] ~= 64 then
    return nil, "nxc.url without nxc.sha256 (64 hexadecimal digits)"
  end
  if given["nxc.net"] then
    local interface, why = network.parse(given["nxc.net"])
    if not interface then return nil, why end
    local done, problem = network.configure_all { interface }
    if not done then return nil, problem end
  elseif not given["nxc.url"]:find("^http://unix:") then
    network.dhcp(information.dhcp_script, 20)
  end
  local got, why = http.request(given["nxc.url"], nil, FETCHED, PATIENCE, console.say)
  if not got then return nil, why end
  local digest = information.sha256(FETCHED)
  if digest ~= given["nxc.sha256"]:lower() then
    linux.unlink(FETCHED)
    return nil, ("what %s gave has the SHA-256 %s, not %s as asked for: refused"):format(given["nxc.url"], tostring(digest), given["nxc.sha256"])
  end
  return file.read(FETCHED)
end

--- In a task: the node's document (see document.parse), with `text` and where it came from; nil and a sentence where this
--- node cannot know what it is. Without any information, `nxc.standalone=1 nxc.role=…` makes a node that stands alone.
function information.find(given)
  file.directory("/run/nxc", "0700")
  local text, why
  if given["nxc.info"] then
    text = parameters.base64url(given["nxc.info"])
    if not text then return nil, "nxc.info is not base64url" end
  elseif given["nxc.url"] then
    text, why = fetch(given)
    if not text then return nil, why end
  elseif given["nxc.standalone"] == "1" and given["nxc.role"] then
    return { standalone = true, role = given["nxc.role"], host = given["nxc.role"], hosts = {}, authorizedKeys = {}, interfaces = {}, parameters = {} }
  else
    return nil, "no deployment information: neither nxc.info nor nxc.url is among the kernel's parameters"
  end
  file.write(FETCHED, text, "0600")
  return document.parse(text)
end

return information
