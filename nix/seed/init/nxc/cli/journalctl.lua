-- journalctl: reads what nxc/journal.lua writes.
local arguments = require "nxc.cli.arguments"
local client = require "nxc.cli.client"
local file = require "nxc.file"
local journal = require "nxc.journal"
local json = require "nxc.json"
local linux = require "nxc.linux"

local OPTIONS = {
  ["--unit"] = "value", ["-u"] = "--unit", ["--lines"] = "value", ["-n"] = "--lines", ["--follow"] = "flag", ["-f"] = "--follow",
  ["--no-pager"] = "flag", ["--boot"] = "optional", ["-b"] = "--boot", ["--output"] = "value", ["-o"] = "--output",
  ["--reverse"] = "flag", ["-r"] = "--reverse", ["--grep"] = "value", ["-g"] = "--grep", ["--dmesg"] = "flag", ["-k"] = "--dmesg",
  ["--catalog"] = "flag", ["-x"] = "--catalog", ["--pager-end"] = "flag", ["-e"] = "--pager-end", ["--quiet"] = "flag", ["-q"] = "--quiet",
  ["--since"] = "value", ["-S"] = "--since", ["--all"] = "flag", ["-a"] = "--all", ["--no-hostname"] = "flag", ["--full"] = "flag", ["-l"] = "--full",
  ["--identifier"] = "value", ["-t"] = "--identifier", ["--utc"] = "flag",
}

local function entry_of(line, unit)
  local at, pid, program, text = line:match("^(%d+) (%d+) (%S+) (.*)$")
  return at and { at = tonumber(at), pid = tonumber(pid), program = program, text = text, unit = unit }
end

--- All entries of a unit that are still there, oldest first.
local function entries_of(unit)
  local list = {}
  for _, suffix in ipairs { ".1", "" } do
    for line in (file.read(journal.directory .. "/" .. unit .. suffix) or ""):gmatch("[^\n]+") do
      list[#list + 1] = entry_of(line, unit)
    end
  end
  return list
end

local function kernel_entries()
  local list = {}
  local boot = linux.now() - linux.monotonic()
  local log = io.popen("exec /bin/busybox dmesg -r 2>/dev/null")
  for line in log:lines() do
    local seconds, text = line:match("^<%d+>%[%s*([%d.]+)%] (.*)$")
    if seconds then list[#list + 1] = { at = (boot + tonumber(seconds)) * 1e6, pid = 0, program = "kernel", text = text, unit = "kernel" } end
  end
  log:close()
  return list
end

local function hostname() return (file.read("/proc/sys/kernel/hostname") or "localhost"):match("%S+") end

local RENDER = {
  short = function(entry, host)
    local name = entry.pid > 0 and ("%s[%d]"):format(entry.program, entry.pid) or entry.program
    return ("%s %s %s: %s"):format(os.date("%b %d %H:%M:%S", math.floor(entry.at / 1e6)), host, name, entry.text)
  end,
  cat = function(entry) return entry.text end,
  json = function(entry, host)
    return json.encode {
      __REALTIME_TIMESTAMP = ("%.0f"):format(entry.at), MESSAGE = entry.text, _PID = tostring(entry.pid), SYSLOG_IDENTIFIER = entry.program,
      _SYSTEMD_UNIT = entry.unit, _HOSTNAME = host,
    }
  end,
}
RENDER["short-precise"] = function(entry, host)
  return (RENDER.short(entry, host):gsub("^(%a+ %d+ %d+:%d+:%d+)", ("%%1.%06d"):format(entry.at % 1e6)))
end
RENDER["short-iso"] = function(entry, host)
  return (RENDER.short(entry, host):gsub("^%a+ %d+ %d+:%d+:%d+", os.date("%Y-%m-%dT%H:%M:%S%z", math.floor(entry.at / 1e6))))
end
RENDER["short-unix"] = function(entry, host)
  return (RENDER.short(entry, host):gsub("^%a+ %d+ %d+:%d+:%d+", ("%.6f"):format(entry.at / 1e6)))
end
RENDER["short-full"], RENDER.with_unit = RENDER["short-iso"], RENDER.short

--- Seconds since 1970 of "@N", "N s|min|h|d ago", "-Ns", "today", "YYYY-MM-DD HH:MM:SS".
local function time_of(text)
  local number, unit = text:match("^%-?(%d+)%s*(%a*)")
  local factor = { s = 1, sec = 1, seconds = 1, m = 60, min = 60, minutes = 60, h = 3600, hour = 3600, hours = 3600, d = 86400, days = 86400 }
  if text:match("^@%d+") then return tonumber(text:sub(2)) end
  if text == "today" then return math.floor(linux.now() / 86400) * 86400 end
  local year, month, day, hour, minute, second = text:match("^(%d+)-(%d+)-(%d+)%s*(%d*):?(%d*):?(%d*)")
  if year then
    return os.time { year = year, month = month, day = day, hour = tonumber(hour) or 0, min = tonumber(minute) or 0, sec = tonumber(second) or 0 }
  end
  if number and (text:match("ago$") or text:match("^%-")) and factor[unit] then return linux.now() - number * factor[unit] end
  return client.fail(1, "Failed to parse timestamp: %s", text)
end

local function units_of(options)
  local all = {}
  for _, name in ipairs(linux.list(journal.directory)) do
    if not name:match("%.1$") then all[#all + 1] = name end
  end
  if not options["--unit"] then return all end
  local chosen = {}
  for _, pattern in ipairs(options["--unit"]) do
    local wanted = pattern:find("[*?]") and pattern or (pattern == "init" or pattern == "post-boot" or pattern == "syslog") and pattern or client.unit_name(pattern)
    for _, name in ipairs(all) do
      if client.matches(name, wanted) then chosen[#chosen + 1] = name end
    end
  end
  return chosen
end

local function collect(options, units)
  local list = {}
  if options["--dmesg"] then
    list = kernel_entries()
  else
    for _, unit in ipairs(units) do
      for _, entry in ipairs(entries_of(unit)) do list[#list + 1] = entry end
    end
  end
  for index, entry in ipairs(list) do entry.order = index end
  table.sort(list, function(one, other)
    if one.at ~= other.at then return one.at < other.at end
    return one.order < other.order
  end)
  return list
end

local function selected(options, list)
  local since = options["--since"] and time_of(options["--since"][1]) * 1e6
  local pattern = options["--grep"] and options["--grep"][1]
  local program = options["--identifier"] and options["--identifier"][1]
  local chosen = {}
  for _, entry in ipairs(list) do
    if (not since or entry.at >= since) and (not pattern or entry.text:find(pattern, 1, true) or entry.text:find(pattern))
      and (not program or entry.program == program) then
      chosen[#chosen + 1] = entry
    end
  end
  return chosen
end

--- Prints what is added to the journals, for ever.
local function follow(options, shown, render, host)
  local last = shown[#shown] and shown[#shown].at or linux.now() * 1e6
  while true do
    os.execute("exec /bin/busybox sleep 0.3")
    local fresh = {}
    for _, entry in ipairs(selected(options, collect(options, units_of(options)))) do
      if entry.at > last then fresh[#fresh + 1] = entry end
    end
    for _, entry in ipairs(fresh) do
      print(render(entry, host))
      last = entry.at
    end
    io.stdout:flush()
  end
end

return function(given)
  local options, rest = arguments("journalctl", given, OPTIONS)
  if #rest > 0 then client.fail(1, "journalctl: matches like %s are not supported here; -u UNIT, -t PROGRAM and -g PATTERN are", rest[1]) end
  local render = RENDER[options["--output"] and options["--output"][1] or "short"]
  if not render then client.fail(1, "Unknown output '%s'.", options["--output"][1]) end
  local list = selected(options, collect(options, units_of(options)))
  local count = options["--lines"] and tonumber(options["--lines"][1]) or (options["--follow"] and 10) or #list
  local host = hostname()
  local shown = {}
  for index = math.max(1, #list - count + 1), #list do shown[#shown + 1] = list[index] end
  if options["--reverse"] then
    for index = #shown, 1, -1 do print(render(shown[index], host)) end
  else
    for _, entry in ipairs(shown) do print(render(entry, host)) end
  end
  if #shown == 0 and not options["--quiet"] and not options["--follow"] then print("-- No entries --") end
  io.stdout:flush()
  if options["--follow"] then follow(options, list, render, host) end
end
