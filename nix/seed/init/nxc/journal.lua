-- What services and PID 1 say: a file a unit in /var/log/journal, and its predecessor. A line: microseconds since 1970,
-- process, name of the program, text. Both files together hold at most 2 * BOUND bytes.
local linux = require "nxc.linux"
local file = require "nxc.file"
local loop = require "nxc.loop"

local journal = { directory = "/var/log/journal" }

local BOUND = 512 * 1024
local LINE = 8192 -- longer lines are cut into several, as systemd's LineMax does

local open = {} -- unit → { fd, size }

local function store(unit)
  local found = open[unit]
  if found and found.size < BOUND then return found end
  local path = journal.directory .. "/" .. unit
  if found then
    linux.close(found.fd)
    linux.rename(path, path .. ".1")
  end
  local fd = linux.open(path, linux.O_WRONLY + linux.O_CREAT + linux.O_APPEND, "0640")
  if not fd then return nil end
  local size = found and 0 or #(file.read(path) or "")
  found = { fd = fd, size = size }
  open[unit] = found
  return found
end

--- One line into the unit's journal.
function journal.say(unit, pid, program, text)
  local line = string.format("%.0f %d %s %s\n", linux.now() * 1e6, pid, program, text)
  local target = store(unit)
  if target and linux.write(target.fd, line) then target.size = target.size + #line end
end

--- Reads what a process writes into `fd`, until all its writers are gone.
function journal.follow(fd, unit, pid, program)
  local rest = ""
  loop.watch(fd, function()
    local text, _, errno = linux.read(fd)
    if not text and (errno == linux.EAGAIN or errno == linux.EINTR) then return end
    if not text or text == "" then
      loop.unwatch(fd)
      linux.close(fd)
      if rest ~= "" then journal.say(unit, pid, program, rest) end
      return
    end
    rest = rest .. text
    local from = 1
    while true do
      local to = rest:find("\n", from, true)
      if not to and #rest - from < LINE then break end
      local last = to and math.min(to - 1, from + LINE - 1) or from + LINE - 1
      journal.say(unit, pid, program, rest:sub(from, last))
      from = last + 1
      if to == from then from = from + 1 end
    end
    rest = rest:sub(from)
  end)
end

--- The socket for syslog(3), /dev/log: lines of programs that do not write to their standard output.
function journal.syslog(path, unit_of)
  local fd = linux.listen(path, linux.SOCK_DGRAM, "0666")
  if not fd then return end
  loop.watch(fd, function()
    local text = linux.read(fd)
    if not text then return end
    text = text:gsub("^<%d+>", ""):gsub("^%a%a%a [ %d]%d %d%d:%d%d:%d%d ", ""):gsub("%s+$", "")
    local program, pid, said = text:match("^([^%s%[:]+)%[(%d+)%]: ?(.*)")
    if not program then program, said = text:match("^([^%s:]+): (.*)") end
    pid = tonumber(pid) or 0
    journal.say(unit_of(pid, program) or "syslog", pid, program or "-", said or text)
  end)
end

return journal
