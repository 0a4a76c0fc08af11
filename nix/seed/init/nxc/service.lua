-- The life of one service, with systemd's states and rules (systemd.service(5)). Each activity (starting, stopping,
-- reloading) is a task; a new one cancels that before it, so that there is never more than one.
local linux = require "nxc.linux"
local file = require "nxc.file"
local journal = require "nxc.journal"
local loop = require "nxc.loop"
local process = require "nxc.process"
local unit = require "nxc.unit"
local Group = require "nxc.group"

local Service = {}
Service.__index = Service

local KILL_LIMIT = 10 -- seconds after SIGKILL until a process that does not die (state D) is given up
local CLEAN_SIGNALS = { [1] = true, [2] = true, [13] = true, [15] = true }

--- `changed(service)` is called after each change of state.
function Service.new(record, changed)
  return setmetatable({
    name = record.name, unit = record, changed = changed, active = "inactive", sub = "dead", result = "success",
    restarts = 0, starts = {}, since = linux.now(), main = nil, exited = nil, processes = {},
  }, Service)
end

function Service:enter(active, sub)
  if active ~= self.active then
    self.since = linux.now()
    if active == "active" then self.active_since = self.since end
  end
  self.active, self.sub = active, sub
  self.changed(self)
end

function Service:say(text) journal.say(self.name, 1, "init", text) end

local function seconds(text, default)
  if text == "infinity" then return nil end
  return text and tonumber(text) / 1000 or default
end

local function invocation()
  local random = io.open("/dev/urandom", "rb")
  local bytes = random:read(16)
  random:close()
  return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

-- Commands --------------------------------------------------------------------------------------------------------

function Service:environment()
  local extra = { INVOCATION_ID = self.group.invocation }
  if self.main then extra.MAINPID = tostring(self.main) end
  if self.unit.Type == "notify" then extra.NOTIFY_SOCKET = self.notify_path end
  if self.finished then
    extra.SERVICE_RESULT = self.finished
    if self.exited then
      extra.EXIT_CODE = self.exited.how
      extra.EXIT_STATUS = self.exited.how == "exited" and tostring(self.exited.code) or linux.signal_name(self.exited.code)
    end
  end
  return extra
end

local function describe(how, code)
  if how == "exited" then return ("code=exited, status=%d/%s"):format(code, code == 0 and "SUCCESS" or "FAILURE") end
  return ("code=killed, signal=%s"):format(linux.signal_name(code))
end

--- Whether such an end counts as success.
function Service:clean(how, code)
  for _, status in ipairs(self.unit.SuccessExitStatus) do
    if how == "exited" and tonumber(status) == code then return true end
    if how == "killed" and linux.signal_number(status) == code then return true end
  end
  if how == "exited" then return code == 0 end
  return CLEAN_SIGNALS[code] and self.unit.Type ~= "oneshot" or false
end

local function result_of(how) return how == "exited" and "exit-code" or "signal" end

--- In a task: runs a command to its end. Returns "success", "exit-code", "signal", "timeout" or "resources".
function Service:run(command, key, deadline)
  local pid, why = process.start(self.unit, command, self.group, self:environment())
  if not pid then
    self:say("cannot start " .. command.sh .. ": " .. why)
    return "resources"
  end
  self.control = pid
  local how, code = loop.wait(function(wake) loop.on_exit(pid, wake) end, deadline and math.max(deadline - linux.monotonic(), 0))
  self.control = nil
  self.processes[key] = { pid = pid, how = how, code = code, sh = command.sh }
  if not how then return "timeout" end
  if self:clean(how, code) and (how == "exited" or key == "ExecStart") or command.ignore then return "success" end
  self:say(("%s: process exited, %s"):format(key, describe(how, code)))
  self.exited = self.exited or { how = how, code = code }
  return result_of(how)
end

--- In a task: all commands of a list, until one fails.
function Service:run_all(key, deadline)
  for _, text in ipairs(self.unit[key]) do
    local result = self:run(unit.command(text), key, deadline)
    if result ~= "success" then return result end
  end
  return "success"
end

-- The main process ------------------------------------------------------------------------------------------------

--- Takes `pid` for the main process: its end is the service's end.
function Service:adopt(pid)
  self.main, self.exited, self.main_pid = pid, nil, pid
  loop.on_exit(pid, function(how, code)
    if self.main ~= pid then return end
    self.main = nil
    self.exited = { how = how, code = code, pid = pid, at = linux.now() }
    if self.main_waiter then self.main_waiter() end
    if self.active == "active" and not self.task then self:ended() end
  end)
end

--- The main process is gone on its own, or the last process where no main one is known.
function Service:ended()
  local result = "success"
  if self.exited and not self:clean(self.exited.how, self.exited.code) then
    result = result_of(self.exited.how)
    self:say("Main process exited, " .. describe(self.exited.how, self.exited.code))
  end
  if result == "success" and self.unit.RemainAfterExit == "yes" then return self:enter("active", "exited") end
  self:begin(function()
    if result == "success" then
      self:enter("deactivating", "stop")
      result = self:run_all("ExecStop", self:stop_deadline())
    end
    self:finish(result)
  end)
end

--- Looks after any death whether a service without a known main process still has one.
function Service:watch_group()
  loop.on_reaped(self, function()
    if self.active == "active" and self.sub == "running" and not self.main and not self.task and self.group:empty() then
      loop.on_reaped(self, nil)
      self:ended()
    end
  end)
end

--- In a task: the main process of Type=forking after its parent has left; a reason where there is none.
function Service:find_main(deadline)
  local path = self.unit.PIDFile
  if not path then
    local pids = self.group:pids()
    if pids[1] then self:adopt(pids[1]) end
    return pids[1] and "success" or "protocol"
  end
  local pid
  loop.wait_until(function()
    pid = tonumber((file.read(path) or ""):match("^%s*(%d+)"))
    return pid and self.group:has(pid) or self.group:empty()
  end, deadline and deadline - linux.monotonic())
  if not pid or not self.group:has(pid) then
    self:say("Type=forking, but no process of the service stands in " .. path)
    return "protocol"
  end
  self:adopt(pid)
  return "success"
end

--- In a task: opens the notification socket of Type=notify; returns what waits for READY=1.
function Service:notification()
  file.directory("/run/systemd/notify")
  self.notify_path = "/run/systemd/notify/" .. self.name
  local fd = assert(linux.listen(self.notify_path, linux.SOCK_DGRAM, "0666"))
  local ready, waiter = false, nil
  loop.watch(fd, function()
    for line in (linux.read(fd) or ""):gmatch("[^\n]+") do
      local key, value = line:match("^([%u_]+)=(.*)$")
      if key == "READY" then ready = true end
      if key == "STATUS" then self.status_text = value end
      if key == "MAINPID" and tonumber(value) and self.group:has(tonumber(value)) then self:adopt(tonumber(value)) end
    end
    if ready and waiter then waiter() end
  end)
  self.notify_fd = fd
  return function(deadline)
    local timeout = deadline and math.max(deadline - linux.monotonic(), 0)
    if not ready and self.main then
      loop.wait(function(wake) waiter, self.main_waiter = wake, wake end, timeout)
      self.main_waiter = nil
    end
    if ready then return "success" end
    if self.main then return "timeout" end
    return result_of(self.exited.how)
  end
end

function Service:start_main(deadline)
  local await_ready = self.unit.Type == "notify" and self:notification()
  local command = unit.command(self.unit.ExecStart[1])
  local pid, why = process.start(self.unit, command, self.group, self:environment())
  if not pid then
    self:say("cannot start " .. command.sh .. ": " .. why)
    return "resources"
  end
  self:adopt(pid)
  return await_ready and await_ready(deadline) or "success"
end

-- Start -----------------------------------------------------------------------------------------------------------

--- Runs `body` as the service's only task.
function Service:begin(body)
  if self.task then self.task:cancel() end
  if self.reloaded then self.reloaded("canceled") end
  if self.restart_timer then loop.cancel(self.restart_timer) end
  self.main_waiter, self.control, self.restart_timer = nil, nil, nil
  local task
  task = loop.task(function()
    body()
    if self.task == task then self.task = nil end
    -- The main process may have died while the task ran (Type=simple that fails at once).
    if self.active == "active" and self.sub == "running" and not self.task then
      if not self.main and self.exited then self:ended() else self:watch_group() end
    end
  end, function(problem)
    self:say("internal error: " .. problem)
    self.task, self.result = nil, "resources"
    self:enter("failed", "failed")
  end)
  self.task = task
end

local TESTS = {
  PathExists = function(path) return linux.exists(path) end,
  PathIsDirectory = function(path) return linux.exists(path .. "/.") end,
  PathIsMountPoint = function(path) return (file.read("/proc/self/mounts") or ""):find(" " .. path .. " ", 1, true) ~= nil end,
  DirectoryNotEmpty = function(path) return #linux.list(path) > 0 end,
  FileNotEmpty = function(path) return (file.read(path) or "") ~= "" end,
  FileIsExecutable = function(path) return linux.executable(path) end,
  KernelCommandLine = function(word) return (" " .. (file.read("/proc/cmdline") or ""):gsub("%s", " ")):find(" " .. word, 1, true) ~= nil end,
  Host = function(name) return (file.read("/proc/sys/kernel/hostname") or ""):gsub("%s", "") == name end,
}

--- Condition…= that does not hold, or nil. Among those with "|" one must hold.
function Service:unmet()
  local triggered, any
  for _, text in ipairs(self.unit.Condition) do
    local kind, trigger, negate, argument = text:match("^(%w+)=(|?)(!?)(.*)$")
    local holds = (TESTS[kind] and TESTS[kind](argument) or false) ~= (negate == "!")
    if trigger == "|" then
      triggered, any = true, any or holds
    elseif not holds then
      return "Condition" .. text
    end
  end
  if triggered and not any then return "none of its triggering conditions holds" end
  return nil
end

--- Whether it started too often lately (StartLimitBurst= within StartLimitIntervalSec=).
function Service:too_often()
  local now, recent = linux.monotonic(), {}
  local interval, burst = tonumber(self.unit.StartLimitIntervalSec or 10), tonumber(self.unit.StartLimitBurst or 5)
  for _, at in ipairs(self.starts) do
    if now - at < interval then recent[#recent + 1] = at end
  end
  self.starts = recent
  if interval > 0 and burst > 0 and #recent >= burst then return true end
  recent[#recent + 1] = now
  return false
end

--- Starts it. The end of the attempt shows as a change of state; `automatic`: by Restart=.
function Service:start(automatic)
  if not automatic then self.restarts = 0 end
  self.stopping = false
  self:begin(function()
    if self:too_often() then
      self:say("Start request repeated too quickly.")
      self.result = "start-limit-hit"
      return self:enter("failed", "failed")
    end
    self.skipped = self:unmet()
    if self.skipped then
      self:say("Skipped: " .. self.skipped)
      self.result = "success"
      return self:enter("inactive", "dead")
    end
    self.result, self.finished, self.exited, self.main, self.processes, self.status_text = "success", nil, nil, nil, {}, nil
    self.group = Group.new(self.name, invocation())
    self:enter("activating", "start-pre")
    local deadline = self:start_deadline()
    local result = self:started(deadline)
    if result ~= "success" then
      if result == "timeout" then self:say("start operation timed out. Terminating.") end
      return self:finish(result)
    end
    if self.unit.Type == "oneshot" and self.unit.RemainAfterExit ~= "yes" then return self:finish("success") end
    if self.unit.Type == "oneshot" then return self:enter("active", "exited") end
    self:enter("active", "running")
  end)
end

function Service:start_deadline()
  local limit = seconds(self.unit.TimeoutStartMSec, self.unit.Type ~= "oneshot" and 90 or nil)
  return limit and linux.monotonic() + limit
end

function Service:stop_deadline()
  local limit = seconds(self.unit.TimeoutStopMSec, 90)
  return limit and linux.monotonic() + limit
end

--- In a task: the commands of a start.
function Service:started(deadline)
  local made, why = process.directories(self.unit)
  if not made then
    self:say("cannot make " .. why)
    return "resources"
  end
  local result = self:run_all("ExecStartPre", deadline)
  if result ~= "success" then return result end
  self:enter("activating", "start")
  if self.unit.Type == "oneshot" then
    result = self:run_all("ExecStart", deadline)
  elseif self.unit.Type == "forking" then
    result = self:run_all("ExecStart", deadline)
    if result == "success" then result = self:find_main(deadline) end
  else
    result = self:start_main(deadline)
  end
  if result ~= "success" then return result end
  if #self.unit.ExecStartPost > 0 then
    self:enter("activating", "start-post")
    result = self:run_all("ExecStartPost", deadline)
  end
  return result
end

-- Stop ------------------------------------------------------------------------------------------------------------

--- Stops it on request.
function Service:stop()
  if (self.active == "inactive" or self.active == "failed") and not self.task then return end
  if self.stopping then return end
  self.stopping = true
  local was_active = self.active == "active"
  self:begin(function()
    local result = "success"
    if not self.group then return self:enter("inactive", "dead") end
    if was_active and #self.unit.ExecStop > 0 then
      self:enter("deactivating", "stop")
      result = self:run_all("ExecStop", self:stop_deadline())
    end
    self:finish(result)
  end)
end

--- In a task: no process of the group is left when this returns. Returns "timeout" where SIGKILL was needed.
function Service:kill_all()
  local mode = self.unit.KillMode or "control-group"
  local signal = linux.signal_number(self.unit.KillSignal or "SIGTERM")
  local limit = seconds(self.unit.TimeoutStopMSec, 90)
  local result = "success"
  self:enter("deactivating", "stop-sigterm")
  local told = {}
  if mode == "control-group" then
    self.group:kill(signal, told)
  elseif self.main and mode ~= "none" then
    linux.kill(self.main, signal)
  end
  local function gone()
    if mode == "control-group" then
      self.group:kill(signal, told) -- also what was forked while we looked
      return self.group:empty()
    end
    return not self.main or mode == "none"
  end
  if not loop.wait_until(gone, limit) then
    self:say("State 'stop-sigterm' timed out. Killing.")
    result = "timeout"
  end
  if mode == "process" or mode == "none" then return result end
  if not self.group:empty() then
    self:enter("deactivating", "stop-sigkill")
    self.group:kill(linux.SIGKILL)
    if not loop.wait_until(function() return self.group:empty() end, KILL_LIMIT) then
      self:say("Processes remain after SIGKILL.")
    end
  end
  return result
end

--- In a task: the end of a start that failed, of a main process, or of a stop; then Restart=.
function Service:finish(result)
  local killed = self:kill_all()
  if result == "success" then result = killed end
  if result == "success" and self.exited and not self:clean(self.exited.how, self.exited.code) then
    result = result_of(self.exited.how)
  end
  self.finished = result
  if #self.unit.ExecStopPost > 0 then
    self:enter("deactivating", "stop-post")
    local post = self:run_all("ExecStopPost", self:stop_deadline())
    if result == "success" then result = post end
    if not self.group:empty() then
      self.group:kill(linux.SIGKILL)
      loop.wait_until(function() return self.group:empty() end, KILL_LIMIT)
    end
  end
  loop.on_reaped(self, nil)
  if self.notify_fd then
    loop.unwatch(self.notify_fd)
    linux.close(self.notify_fd)
    linux.unlink(self.notify_path)
    self.notify_fd = nil
  end
  if self.group:empty() then self.group:remove() end
  process.remove_directories(self.unit)
  if self.unit.PIDFile then linux.unlink(self.unit.PIDFile) end
  self.result, self.main = result, nil
  if result ~= "success" then self:say(("Failed with result '%s'."):format(result)) end
  if self:wants_restart(result) then return self:restart_later() end
  self.task = nil
  if result == "success" then self:enter("inactive", "dead") else self:enter("failed", "failed") end
end

function Service:wants_restart(result)
  if self.stopping then return false end
  local policy = self.unit.Restart or "no"
  if policy == "always" then return self.unit.Type ~= "oneshot" or result ~= "success" end
  if policy == "on-success" then return result == "success" end
  if policy == "on-failure" then return result ~= "success" end
  if policy == "on-abnormal" then return result == "signal" or result == "timeout" end
  if policy == "on-abort" then return result == "signal" end
  return false
end

function Service:restart_later()
  self.restarts = self.restarts + 1
  self:enter("activating", "auto-restart")
  self.task = nil
  self.restart_timer = loop.after(seconds(self.unit.RestartMSec, 0.1), function()
    self.restart_timer = nil
    self:say(("Scheduled restart job, restart counter is at %d."):format(self.restarts))
    self:start(true)
  end)
end

-- Reload ----------------------------------------------------------------------------------------------------------

--- Reloads it; done("done" or "failed").
function Service:reload(done)
  local before = self.sub
  self:begin(function()
    self:enter("active", "reload")
    local result = self:run_all("ExecReload", self:start_deadline())
    self.reloaded = nil
    self:enter("active", before)
    done(result == "success" and "done" or "failed")
  end)
  self.reloaded = function(how)
    self.reloaded = nil
    done(how)
  end
end

--- Forgets a failure.
function Service:reset()
  self.starts = {}
  if self.active == "failed" then
    self.result = "success"
    self:enter("inactive", "dead")
  end
end

return Service
