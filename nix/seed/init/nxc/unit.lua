-- A unit as nix/seed/system.nix writes it: systemd's syntax and names, one assignment a line, a name several times for a
-- list. Commands are shell commands already (`exec COMMAND` runs them), times are milliseconds.
local file = require "nxc.file"

local unit = {}

-- What may stand several times; everything else is one text.
local LISTS = {
  Environment = true, EnvironmentFile = true, ExecStartPre = true, ExecStart = true, ExecStartPost = true, ExecReload = true,
  ExecStop = true, ExecStopPost = true, Condition = true, Limit = true,
}
-- Words between blanks.
local WORDS = {
  Wants = true, Requires = true, BindsTo = true, PartOf = true, After = true, Before = true, Conflicts = true,
  WantedBy = true, RequiredBy = true, SupplementaryGroups = true, SuccessExitStatus = true, RuntimeDirectory = true,
  StateDirectory = true, LogsDirectory = true, CacheDirectory = true, ConfigurationDirectory = true,
  Unenforced = true, Alias = true,
}

local function words(text)
  local list = {}
  for word in text:gmatch("%S+") do list[#list + 1] = word end
  return list
end

--- The unit called `name` from its text; lists that it does not mention are empty.
function unit.parse(name, text)
  local made = { name = name, kind = name:match("%.(%a+)$") }
  for key in pairs(LISTS) do made[key] = {} end
  for key in pairs(WORDS) do made[key] = {} end
  for line in text:gmatch("[^\n]+") do
    local key, value = line:match("^(%w+)=(.*)$")
    if key then
      if LISTS[key] then
        table.insert(made[key], (value:gsub("\\(.)", { n = "\n", ["\\"] = "\\" })))
      elseif WORDS[key] then
        for _, word in ipairs(words(value)) do table.insert(made[key], word) end
      else
        made[key] = value
      end
    end
  end
  return made
end

--- A command of Exec…: { sh = the shell command, ignore = its failure does not count, privileged = as root }.
function unit.command(text)
  local flags, sh = text:match("^([-+]*)(.*)$")
  return { sh = sh, ignore = flags:find("-", 1, true) ~= nil, privileged = flags:find("+", 1, true) ~= nil }
end

-- The targets that every system has, and their order.
local STANDARD = {
  ["local-fs.target"] = { Description = "Local File Systems" },
  ["sysinit.target"] = { Description = "System Initialization", Wants = "local-fs.target", After = "local-fs.target" },
  ["basic.target"] = { Description = "Basic System", Requires = "sysinit.target", After = "sysinit.target" },
  ["network-pre.target"] = { Description = "Preparation for Network" },
  ["network.target"] = { Description = "Network", After = "network-pre.target" },
  ["network-online.target"] = { Description = "Network is Online", After = "network.target" },
  ["nss-lookup.target"] = { Description = "Host and Network Name Lookups" },
  ["time-sync.target"] = { Description = "System Time Synchronized" },
  ["remote-fs.target"] = { Description = "Remote File Systems" },
  ["multi-user.target"] = {
    Description = "Multi-User System",
    Requires = "basic.target",
    Wants = "network.target remote-fs.target",
    After = "basic.target network.target remote-fs.target",
  },
  ["default.target"] = { Description = "Default Target", Requires = "multi-user.target", After = "multi-user.target" },
}

--- All units of the system at `toplevel`, by name, with the standard targets.
function unit.load(toplevel, list)
  local units = {}
  for name, fields in pairs(STANDARD) do
    local lines = {}
    for key, value in pairs(fields) do lines[#lines + 1] = key .. "=" .. value end
    units[name] = unit.parse(name, table.concat(lines, "\n"))
  end
  for _, name in ipairs(list(toplevel .. "/units")) do
    local path = toplevel .. "/units/" .. name
    local loaded = unit.parse(name, assert(file.read(path), path))
    loaded.FragmentPath = path
    if units[name] then -- a composition may add to a standard target
      for key in pairs(WORDS) do
        for _, word in ipairs(units[name][key]) do table.insert(loaded[key], word) end
      end
    end
    units[name] = loaded
  end
  return units
end

return unit
