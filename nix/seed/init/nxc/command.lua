-- Runs the small programs that a boot needs (ip, modprobe, wget, …) and waits for them, in a task of the loop.
local linux = require "nxc.linux"
local loop = require "nxc.loop"

local command = { environment = { "PATH=/bin:/usr/bin", "HOME=/root" } }

--- In a task: runs a program by its path. `options`: input (text), timeout (seconds, default 60), environment (a list).
--- Returns its exit code (nil where it was killed, timed out or cannot be started) and what it wrote.
function command.run(arguments, options)
  options = options or {}
  local from, into = linux.pipe()
  local input_from, input_into
  if options.input then input_from, input_into = linux.pipe() end
  local pid = linux.fork()
  if not pid then return nil, "cannot fork" end
  if pid == 0 then
    linux.setsid()
    linux.unblock_signals()
    if input_from then
      local parent = linux.fork() -- a writer of its own: neither side can block PID 1
      if parent == 0 then
        linux.close(input_from)
        local rest = options.input
        while #rest > 0 do
          local sent = linux.write(input_into, rest)
          if not sent then break end
          rest = rest:sub(sent + 1)
        end
        linux.exit(0)
      end
      linux.close(input_into)
      linux.blocking(input_from)
      linux.dup2(input_from, 0)
    else
      linux.dup2(linux.open("/dev/null", linux.O_RDWR), 0)
    end
    linux.dup2(into, 1)
    linux.dup2(into, 2)
    local _, why = linux.exec(arguments[1], arguments, options.environment or command.environment)
    linux.write(2, arguments[1] .. ": " .. why)
    linux.exit(127)
  end
  linux.close(into)
  if input_from then
    linux.close(input_from)
    linux.close(input_into)
  end
  local output, open = {}, true
  --- Whether there may be more at once.
  local function take()
    local text, _, errno = linux.read(from)
    if text and text ~= "" then
      output[#output + 1] = text
      return true
    elseif text or errno ~= linux.EAGAIN then
      loop.unwatch(from)
      linux.close(from)
      open = false
    end
    return false
  end
  loop.watch(from, take)
  local how, code = loop.wait(function(wake) loop.on_exit(pid, wake) end, options.timeout or 60)
  if not how then
    linux.kill(-pid, linux.SIGKILL)
    return nil, table.concat(output) .. arguments[1] .. ": timed out"
  end
  while open and take() do end -- what it wrote last may not have been read yet
  return how == "exited" and code or nil, table.concat(output)
end

--- In a task: a shell script, which stops at the first error.
function command.sh(script, options) return command.run({ "/bin/sh", "-euc", script }, options) end

return command
