-- GET and POST through busybox's wget, or by ourselves on a Unix socket (`http://unix:/SOCKET:/PATH`, in containers).
-- Requests are tried again where nobody answers: the controller may be restarting.
local command = require "nxc.command"
local file = require "nxc.file"
local linux = require "nxc.linux"
local loop = require "nxc.loop"

local http = {}

local ANSWER_LIMIT, PAUSE = 10, 1 -- seconds

--- In a task: the status line and the body of an answer, which says its Content-Length; nil after `limit` seconds.
local function read_answer(fd, limit)
  local answer = ""
  return loop.wait(function(wake)
    loop.watch(fd, function()
      local text = linux.read(fd)
      if not text or text == "" then return wake(nil) end
      answer = answer .. text
      local head, body = answer:match("^(.-\r\n)\r\n(.*)$")
      local length = head and tonumber(head:match("\r\n[Cc]ontent%-[Ll]ength: *(%d+)\r\n"))
      if length and #body >= length then wake(head:match("^(HTTP/%S+ %d+[^\r\n]*)"), body:sub(1, length)) end
    end)
    return function() loop.unwatch(fd) end
  end, limit)
end

--- As `once`, on a Unix socket.
local function once_on_socket(socket, path, body, target)
  local fd, problem = linux.connect(socket, linux.SOCK_STREAM)
  if not fd then return "silent", tostring(problem) end
  local head = body and ("POST %s HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"):format(path, #body) or ("GET %s HTTP/1.1\r\n"):format(path)
  linux.send(fd, head .. "Host: controller\r\nConnection: close\r\n\r\n" .. (body or ""))
  local status, text = read_answer(fd, ANSWER_LIMIT)
  linux.close(fd)
  if not status then return "silent", "no whole answer" end
  if status:match("^HTTP/%S+ 2%d%d") then
    if target ~= "/dev/null" then file.write(target, text, "0600") end
    return "ok"
  end
  return status:match("^HTTP/%S+ 5%d%d") and "silent" or "refused", status
end

--- In a task: "ok" and the body, "refused" and the status line (an answer that asking again does not change), or
--- "silent" and why. `body`: what to POST, or nil.
local function once(url, body, target)
  local socket, path = url:match("^http://unix:(/[^:]+):(/.*)$")
  if socket then return once_on_socket(socket, path, body, target) end
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
