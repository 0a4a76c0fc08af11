-- GET and POST through busybox's wget. Requests are tried again where nobody answers: the controller may be restarting.
local command = require "nxc.command"
local loop = require "nxc.loop"

local http = {}

local ANSWER_LIMIT, PAUSE = 10, 1 -- seconds

--- In a task: "ok" and the body, "refused" and the status line (an answer that asking again does not change), or
--- "silent" and why. `body`: what to POST, or nil.
local function once(url, body, target)
  -- wget's own limit, -T, ends Debian's static busybox 1.35 with a segmentation fault.
  local arguments = { "/bin/busybox", "wget", "-q", "-O", target }
  if body then
    arguments[#arguments + 1] = "--header=Content-Type: application/json"
    arguments[#arguments + 1] = "--post-data=" .. body
  end
  arguments[#arguments + 1] = url
  local code, output = command.run(arguments, { timeout = ANSWER_LIMIT })
  if code == 0 then return "ok" end
  local status = output:match("server returned error: (HTTP/%S+ %d+[^\n]*)")
  if status and not status:match("^HTTP/%S+ 5%d%d") then return "refused", status end
  return "silent", (output:gsub("%s+", " "))
end

--- In a task: true when the answer's body stands in `target`; nil and a sentence when it was refused or nobody answered
--- for `patience` seconds. `complain(text)` is called now and then while nobody does.
function http.request(url, body, target, patience, complain)
  local waited, result, text = 0, nil, nil
  while true do
    result, text = once(url, body, target)
    if result == "ok" then return true end
    if result == "refused" then return nil, url .. " answered: " .. text end
    if waited >= patience then return nil, url .. " did not answer: " .. text end
    if waited % 30 == 0 then complain(("%s does not answer yet (%s)"):format(url, text)) end
    loop.sleep(PAUSE)
    waited = waited + PAUSE
  end
end

return http
