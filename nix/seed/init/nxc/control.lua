-- PID 1's end of systemctl: a socket; one line of JSON in, one out. Anybody may look, only root may change.
local json = require "nxc.json"
local linux = require "nxc.linux"
local loop = require "nxc.loop"

local control = { path = "/run/systemd/private" }

local function properties(jobs, unit)
  local record, exited = unit.unit, unit.exited
  local job = jobs.jobs[unit.name]
  local group = unit.group
  local made = {
    Id = unit.name, Names = unit.name, Description = record.Description or unit.name, LoadState = "loaded",
    ActiveState = unit.active, SubState = unit.sub, Result = unit.result, FragmentPath = record.FragmentPath or "",
    UnitFileState = (#record.WantedBy + #record.RequiredBy > 0) and "enabled" or "static",
    StateChange = unit.since, ActiveEnter = unit.active_since or 0, Job = job and job.kind or "",
    NRestarts = unit.restarts, ConditionResult = unit.skipped and "no" or "yes", Skipped = unit.skipped or "",
    CanStart = "yes", CanStop = "yes", CanReload = #record.ExecReload > 0 and "yes" or "no",
  }
  for _, key in ipairs { "After", "Before", "Wants", "Requires", "BindsTo", "PartOf", "WantedBy", "Conflicts", "Unenforced" } do
    made[key] = table.concat(record[key], " ")
  end
  if record.kind == "target" then return made end
  local last = exited or {}
  made.Type, made.Restart = record.Type or "simple", record.Restart or "no"
  made.User, made.Group, made.PIDFile, made.WorkingDirectory = record.User or "", record.Group or "", record.PIDFile or "", record.WorkingDirectory or ""
  made.MainPID = unit.main or 0
  made.ExecMainPID = unit.main_pid or 0
  made.ControlPID = unit.control or 0
  made.ExecMainCode = last.how == "exited" and 1 or last.how == "killed" and 2 or 0
  made.ExecMainStatus = last.code or 0
  made.StatusText = unit.status_text or ""
  made.InvocationID = group and group.invocation or ""
  made.ControlGroup = group and group.path and "/system.slice/" .. unit.name or ""
  made.ExecStart = table.concat(record.ExecStart, " ; ")
  made.Processes = json.list {}
  for key, ran in pairs(unit.processes) do
    table.insert(made.Processes, { key = key, pid = ran.pid, how = ran.how or "", code = ran.code or 0, sh = ran.sh })
  end
  made.Pids = json.list(group and unit.active ~= "inactive" and group:pids() or {})
  made.TasksCurrent = group and group:number("pids.current") or "[not set]"
  made.MemoryCurrent = group and group:number("memory.current") or "[not set]"
  made.CPUUsageNSec = group and group:cpu_nanoseconds() or "[not set]"
  return made
end

local verbs = {}

function verbs.show(jobs, request, answer)
  local list = json.list {}
  if request.units then
    for _, name in ipairs(request.units) do
      local unit = jobs.units[name]
      list[#list + 1] = unit and properties(jobs, unit)
        or { Id = name, Names = name, Description = name, LoadState = "not-found", ActiveState = "inactive", SubState = "dead", UnitFileState = "" }
    end
  else
    local names = {}
    for name in pairs(jobs.units) do names[#names + 1] = name end
    table.sort(names)
    for _, name in ipairs(names) do list[#list + 1] = properties(jobs, jobs.units[name]) end
  end
  answer { units = list }
end

function verbs.system(jobs, _, answer)
  local failed, starting, list = 0, false, json.list {}
  for _, unit in pairs(jobs.units) do
    if unit.active == "failed" then failed = failed + 1 end
  end
  for name, job in pairs(jobs.jobs) do
    starting = true
    list[#list + 1] = { unit = name, kind = job.kind, state = job.state }
  end
  table.sort(list, function(one, other) return one.unit < other.unit end)
  local state = jobs.closing and "stopping" or starting and "starting" or failed > 0 and "degraded" or "running"
  answer { state = state, failed = failed, jobs = list }
end

--- A verb that changes units: act(jobs, unit, done) for each, an answer when all are done.
local function change(act)
  return function(jobs, request, answer)
    local results, open = {}, #request.units
    local function finished(name, result)
      results[name] = result
      open = open - 1
      if open == 0 then answer { results = results } end
    end
    for _, name in ipairs(request.units) do
      local unit = jobs.units[name]
      if not unit then
        loop.soon(function() finished(name, "not-found") end)
      else
        act(jobs, unit, function(result) finished(name, result) end, request)
      end
    end
    if open == 0 then answer { results = results } end
  end
end

local function now(done, result) loop.soon(function() done(result) end) end

local function active(unit) return unit.active == "active" or unit.active == "activating" end

local function reload(unit, done)
  if unit.active ~= "active" then return now(done, "inactive") end
  if unit.unit.kind == "target" or #unit.unit.ExecReload == 0 then return now(done, "unsupported") end
  unit:reload(done)
end

local changing = {
  start = change(function(jobs, unit, done) jobs:start(unit.name, done) end),
  stop = change(function(jobs, unit, done) jobs:stop(unit.name, done) end),
  restart = change(function(jobs, unit, done) jobs:restart(unit.name, done) end),
  ["try-restart"] = change(function(jobs, unit, done)
    if active(unit) then jobs:restart(unit.name, done) else now(done, "done") end
  end),
  reload = change(function(_, unit, done) reload(unit, done) end),
  ["reload-or-restart"] = change(function(jobs, unit, done)
    if unit.active == "active" and #unit.unit.ExecReload > 0 then reload(unit, done) else jobs:restart(unit.name, done) end
  end),
  ["reset-failed"] = change(function(_, unit, done)
    unit:reset()
    now(done, "done")
  end),
  kill = change(function(_, unit, done, request)
    local signal = linux.signal_number(request.signal or "TERM")
    if not unit.group or not signal then return now(done, "inactive") end
    if request.whom == "main" then
      if unit.main then linux.kill(unit.main, signal) end
    else
      unit.group:kill(signal)
    end
    now(done, "done")
  end),
}

local function serve(jobs, machine, uid, line, answer)
  local request, why = json.decode(line)
  if type(request) ~= "table" then return answer { error = "not a request: " .. (why or "") } end
  if request.units ~= nil and getmetatable(request.units) ~= json.array then return answer { error = "units is no list" } end
  local verb = request.verb
  if verbs[verb] then return verbs[verb](jobs, request, answer) end
  if uid ~= 0 then return answer { error = "Access denied", code = 4 } end
  if changing[verb] then
    request.units = request.units or {}
    return changing[verb](jobs, request, answer)
  end
  if verb == "poweroff" or verb == "reboot" or verb == "halt" then
    answer {}
    return machine(verb)
  end
  answer { error = "Unknown command verb " .. tostring(verb) }
end

--- Listens. `machine(how)` ends the machine.
function control.listen(jobs, machine)
  local fd = assert(linux.listen(control.path, linux.SOCK_STREAM, "0666"))
  loop.watch(fd, function()
    local peer, uid = linux.accept(fd)
    if not peer then return end
    local text = ""
    local function close()
      loop.unwatch(peer)
      linux.close(peer)
    end
    loop.watch(peer, function()
      local more = linux.read(peer)
      if not more or more == "" or #text > 65536 then return close() end
      text = text .. more
      local line = text:match("^([^\n]*)\n")
      if not line then return end
      loop.unwatch(peer)
      serve(jobs, machine, uid, line, function(reply) control.reply(peer, json.encode(reply) .. "\n") end)
    end)
  end)
end

--- Sends all of it as fast as the peer reads, then closes.
function control.reply(peer, text)
  local function push()
    local sent, _, errno = linux.send(peer, text)
    if sent then text = text:sub(sent + 1) end
    if text == "" or not sent and errno ~= linux.EAGAIN then
      loop.unwatch(peer)
      linux.close(peer)
    end
  end
  loop.watch(peer, push, linux.POLLOUT)
end

return control
