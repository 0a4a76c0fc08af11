-- The commands' end of the conversation with PID 1 (see nxc/control.lua).
local control = require "nxc.control"
local json = require "nxc.json"
local linux = require "nxc.linux"

local client = {}

--- Ends the program.
function client.exit(code)
  io.stdout:flush()
  os.exit(code)
end

function client.fail(code, text, ...)
  io.stdout:flush()
  io.stderr:write(text:format(...), "\n")
  os.exit(code)
end

--- PID 1's answer; the program ends where there is none or it is a refusal.
function client.ask(request)
  local fd = linux.connect(control.path, linux.SOCK_STREAM)
  if not fd then client.fail(1, "Failed to connect to bus: init does not answer (the node may be unconfigured: see its console)") end
  linux.write(fd, json.encode(request) .. "\n")
  local parts = {}
  while true do
    local text = linux.read(fd)
    if not text or text == "" then break end
    parts[#parts + 1] = text
  end
  local answer, why = json.decode(table.concat(parts))
  if not answer then client.fail(1, "init gave no answer: %s", why) end
  if answer.error then client.fail(answer.code or 1, "%s", answer.error) end
  return answer
end

--- "x.service" of "x"; names with a known suffix stay.
function client.unit_name(name)
  if name:match("%.service$") or name:match("%.target$") or name:match("%.mount$") or name:match("%.socket$") or name:match("%.timer$") then return name end
  return name .. ".service"
end

--- Whether a name matches a shell pattern with * and ?.
function client.matches(name, pattern)
  local lua = pattern:gsub("[%^%$%(%)%%%.%[%]%+%-]", "%%%0"):gsub("%*", ".*"):gsub("%?", ".")
  return name:match("^" .. lua .. "$") ~= nil
end

return client
