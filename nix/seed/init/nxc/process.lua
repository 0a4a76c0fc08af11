-- Starts one process as its unit wants it: user, directories, limits, environment; output into the journal.
local linux = require "nxc.linux"
local file = require "nxc.file"
local journal = require "nxc.journal"

local process = { shell = "/bin/sh" }

-- Exit codes that say which preparation failed: systemd's (systemd.exec(5), "Process Exit Codes").
local EXIT_CHDIR, EXIT_EXEC, EXIT_LIMITS, EXIT_GROUP, EXIT_USER = 200, 203, 205, 216, 217

local function give_up(code, text)
  linux.write(2, text .. "\n")
  linux.exit(code)
end

local function environment_files(unit, environment)
  for _, entry in ipairs(unit.EnvironmentFile) do
    local optional, path = entry:match("^(-?)(.*)$")
    local text = file.read(path)
    if not text and optional == "" then return nil, "cannot read the environment file " .. path end
    for line in (text or ""):gmatch("[^\n]+") do
      local name, value = line:match("^%s*([%a_][%w_]*)=(.*)$")
      if name then environment[name] = value:match('^"(.*)"%s*$') or value:match("^'(.*)'%s*$") or value end
    end
  end
  return true
end

--- NAME → value for a command of the unit; nil and the error's text.
local function environment_of(unit, user, extra)
  local environment = { PATH = "/run/current-system/sw/bin:/bin", LANG = "C.UTF-8" }
  if user then
    environment.USER, environment.LOGNAME, environment.HOME, environment.SHELL = user.name, user.name, user.home, user.shell
  end
  for _, assignment in ipairs(unit.Environment) do
    local name, value = assignment:match("^([^=]+)=(.*)$")
    if name then environment[name] = value end
  end
  for _, kind in ipairs { { "RuntimeDirectory", "/run/" }, { "StateDirectory", "/var/lib/" }, { "LogsDirectory", "/var/log/" },
    { "CacheDirectory", "/var/cache/" }, { "ConfigurationDirectory", "/etc/" } } do
    local paths = {}
    for _, name in ipairs(unit[kind[1]]) do paths[#paths + 1] = kind[2] .. name end
    if #paths > 0 then environment[kind[1]:gsub("Directory", "_DIRECTORY"):upper()] = table.concat(paths, ":") end
  end
  for name, value in pairs(extra) do environment[name] = value end
  local fine, why = environment_files(unit, environment)
  if not fine then return nil, why end
  return environment
end

local function enter_directory(unit, user)
  local wanted = unit.WorkingDirectory or "/"
  local optional, path = wanted:match("^(-?)(.*)$")
  if path == "~" then path = user and user.home or "/root" end
  local done, why = linux.chdir(path)
  if not done and optional == "" then give_up(EXIT_CHDIR, "cannot change to the directory " .. path .. ": " .. why) end
end

local function take_identity(unit)
  local name = unit.User
  if not name and not unit.Group and #unit.SupplementaryGroups == 0 then return end
  local user = linux.user(name or "root") or give_up(EXIT_USER, "there is no user " .. name)
  local gid = user.gid
  if unit.Group then gid = linux.group(unit.Group) or give_up(EXIT_GROUP, "there is no group " .. unit.Group) end
  local extra = {}
  for _, group in ipairs(unit.SupplementaryGroups) do
    extra[#extra + 1] = linux.group(group) or give_up(EXIT_GROUP, "there is no group " .. group)
  end
  local done, why = linux.become(user, gid, extra)
  if not done then give_up(EXIT_USER, "cannot become the user " .. user.name .. ": " .. why) end
end

local function prepare(unit, command, group, extra)
  linux.setsid()
  group:join()
  linux.unblock_signals()
  if unit.OOMScoreAdjust then file.write("/proc/self/oom_score_adj", unit.OOMScoreAdjust) end
  if unit.Nice then linux.nice(tonumber(unit.Nice)) end
  for _, limit in ipairs(unit.Limit) do
    local name, value = limit:match("^(%w+)=(.*)$")
    local done, why = linux.limit(name, value)
    if not done then give_up(EXIT_LIMITS, "cannot set the limit " .. limit .. ": " .. (why or "it is not known")) end
  end
  linux.umask(tonumber(unit.UMask or "0022", 8))
  local user = unit.User and linux.user(unit.User)
  local environment, problem = environment_of(unit, user, extra)
  if not environment then give_up(EXIT_EXEC, problem) end
  if not command.privileged then take_identity(unit) end
  enter_directory(unit, user)
  local list = {}
  for name, value in pairs(environment) do list[#list + 1] = name .. "=" .. value end
  local _, why = linux.exec(process.shell, { "sh", "-c", "exec " .. command.sh }, list)
  give_up(EXIT_EXEC, process.shell .. ": " .. why)
end

--- The program's name, for the journal.
local function program_of(command)
  local word = command.sh:match("^%s*'?([^%s']+)") or "sh"
  return (word:match("[^/]+$") or word):gsub("[^%w._-]", "")
end

--- Starts `command` (see unit.command) for the unit in its group and returns its pid; nil and the error's text.
--- `extra`: environment variables besides the unit's own.
function process.start(unit, command, group, extra)
  local from, into = linux.pipe()
  if not from then return nil, into end
  local pid, why = linux.fork()
  if not pid then
    linux.close(from)
    linux.close(into)
    return nil, why
  end
  if pid == 0 then
    local null = linux.open("/dev/null", linux.O_RDWR)
    linux.dup2(null, 0)
    linux.dup2(into, 1)
    linux.dup2(into, 2)
    local _, problem = xpcall(prepare, debug.traceback, unit, command, group, extra)
    give_up(EXIT_EXEC, tostring(problem))
  end
  linux.close(into)
  group:started(pid)
  journal.follow(from, unit.name, pid, program_of(command))
  return pid
end

--- Makes the unit's RuntimeDirectory=, StateDirectory=, … for its user; true, or nil and the error's text.
function process.directories(unit)
  local user = unit.User and linux.user(unit.User)
  local gid = unit.Group and linux.group(unit.Group) or user and user.gid or 0
  for kind, parent in pairs { RuntimeDirectory = "/run/", StateDirectory = "/var/lib/", LogsDirectory = "/var/log/",
    CacheDirectory = "/var/cache/", ConfigurationDirectory = "/etc/" } do
    for _, name in ipairs(unit[kind]) do
      local path = parent .. name
      local done, why, errno = file.directory(path)
      if not done and errno ~= linux.EEXIST then return nil, path .. ": " .. why end
      linux.chmod(path, tonumber(unit[kind .. "Mode"] or "0755", 8))
      if kind ~= "ConfigurationDirectory" then linux.chown(path, user and user.uid or 0, gid) end
    end
  end
  return true
end

--- Removes the runtime directories of a unit that has stopped.
function process.remove_directories(unit)
  if unit.RuntimeDirectoryPreserve == "yes" then return end
  for _, name in ipairs(unit.RuntimeDirectory) do file.remove("/run/" .. name) end
end

return process
