-- How systemctl prints: lists, the status of a unit, properties.
local file = require "nxc.file"
local linux = require "nxc.linux"

local show = {}

local function stamp(seconds)
  return seconds and seconds > 0 and os.date("%a %Y-%m-%d %H:%M:%S %Z", math.floor(seconds)) or "n/a"
end

--- "5s", "2min 3s", "1h 4min", "3 days".
local function ago(seconds)
  seconds = math.max(0, math.floor(linux.now() - seconds))
  if seconds < 60 then return seconds .. "s" end
  if seconds < 3600 then return ("%dmin %ds"):format(seconds / 60, seconds % 60) end
  if seconds < 86400 then return ("%dh %dmin"):format(seconds / 3600, seconds % 3600 / 60) end
  return ("%d days"):format(seconds / 86400)
end

--- As a table; a unit that failed has a dot before its name.
function show.list(units, legend, plain)
  local rows = {}
  for _, unit in ipairs(units) do rows[#rows + 1] = { unit.Id, unit.LoadState, unit.ActiveState, unit.SubState, unit.Description } end
  if legend then table.insert(rows, 1, { "UNIT", "LOAD", "ACTIVE", "SUB", "DESCRIPTION" }) end
  local widths = { 0, 0, 0, 0 }
  for _, row in ipairs(rows) do
    for column = 1, 4 do widths[column] = math.max(widths[column], #row[column]) end
  end
  for _, row in ipairs(rows) do
    local mark = plain and "" or row[3] == "failed" and "● " or "  "
    local cells = {}
    for column = 1, 4 do cells[column] = row[column] .. (" "):rep(widths[column] - #row[column]) end
    print(mark .. table.concat(cells, " ") .. " " .. row[5])
  end
  if not legend then return end
  print("\nLOAD   = Reflects whether the unit definition was properly loaded.")
  print("ACTIVE = The high-level unit activation state, i.e. generalization of SUB.")
  print("SUB    = The low-level unit activation state, values depend on unit type.")
  print(("%d loaded units listed."):format(#units))
end

function show.system(answer, units)
  local active = 0
  for _, unit in ipairs(units) do active = active + (unit.ActiveState == "active" and 1 or 0) end
  print("● " .. ((file.read("/proc/sys/kernel/hostname") or ""):match("%S+") or "node"))
  print("    State: " .. answer.state)
  print(("    Units: %d loaded, %d active"):format(#units, active))
  print(("     Jobs: %d queued"):format(#answer.jobs))
  print(("   Failed: %d units"):format(answer.failed))
end

local function ended(how, code)
  if how == "exited" then return ("(code=exited, status=%d%s)"):format(code, code == 0 and "/SUCCESS" or "/FAILURE") end
  return ("(code=killed, signal=%s)"):format(linux.signal_name(code))
end

local function command_line(pid)
  return ((file.read(("/proc/%d/cmdline"):format(pid)) or ""):gsub("%z+$", ""):gsub("%z", " "))
end

local function bytes(number)
  for _, unit in ipairs { "B", "K", "M" } do
    if number < 1024 then return ("%.4g%s"):format(number, unit) end
    number = number / 1024
  end
  return ("%.4gG"):format(number)
end

local MARKS = { active = "●", failed = "×", activating = "●", deactivating = "●" }

function show.status(unit, lines)
  local since = unit.ActiveState == "active" and unit.ActiveEnter or unit.StateChange
  local result = unit.ActiveState == "failed" and (" (Result: %s)"):format(unit.Result) or (" (%s)"):format(unit.SubState)
  print(("%s %s - %s"):format(MARKS[unit.ActiveState] or "○", unit.Id, unit.Description))
  print(("     Loaded: loaded (%s; %s)"):format(unit.FragmentPath ~= "" and unit.FragmentPath or "built in", unit.UnitFileState))
  local never = unit.ActiveState == "inactive" and unit.ActiveEnter == 0
  print(("     Active: %s%s"):format(unit.ActiveState, result) .. (never and "" or (" since %s; %s ago"):format(stamp(since), ago(since))))
  if unit.Skipped ~= "" then print("  Condition: start condition failed: " .. unit.Skipped) end
  for _, ran in ipairs(unit.Processes or {}) do
    if ran.how ~= "" then print(("    Process: %d %s=%s %s"):format(ran.pid, ran.key, ran.sh, ended(ran.how, ran.code))) end
  end
  if (unit.MainPID or 0) > 0 then
    local name = (file.read(("/proc/%d/comm"):format(unit.MainPID)) or ""):match("[^\n]*")
    print(("   Main PID: %d (%s)"):format(unit.MainPID, name))
  elseif (unit.ExecMainPID or 0) > 0 and unit.ExecMainCode > 0 then
    print(("   Main PID: %d %s"):format(unit.ExecMainPID, ended(unit.ExecMainCode == 1 and "exited" or "killed", unit.ExecMainStatus)))
  end
  if (unit.StatusText or "") ~= "" then print(("     Status: \"%s\""):format(unit.StatusText)) end
  if type(unit.TasksCurrent) == "number" then print(("      Tasks: %d"):format(unit.TasksCurrent)) end
  if type(unit.MemoryCurrent) == "number" then print(("     Memory: %s"):format(bytes(unit.MemoryCurrent))) end
  if type(unit.CPUUsageNSec) == "number" then print(("        CPU: %.3fs"):format(unit.CPUUsageNSec / 1e9)) end
  local pids = unit.Pids or {}
  if #pids > 0 then
    print("     CGroup: " .. (unit.ControlGroup ~= "" and unit.ControlGroup or "(none: found by /proc)"))
    for index, pid in ipairs(pids) do print(("             %s%d %s"):format(index == #pids and "└─" or "├─", pid, command_line(pid))) end
  end
  if (unit.Unenforced or "") ~= "" then print("       Note: not enforced here: " .. unit.Unenforced) end
  if lines > 0 then
    io.stdout:flush()
    print()
    io.stdout:flush()
    require("nxc.cli.journalctl") { "-q", "-n", tostring(lines), "-u", unit.Id }
  end
end

-- Properties that PID 1 gives in a form of ours, and how systemd says them.
local DERIVED = {
  ActiveEnterTimestamp = function(unit) return unit.ActiveEnter and unit.ActiveEnter > 0 and stamp(unit.ActiveEnter) or "" end,
  StateChangeTimestamp = function(unit) return unit.StateChange and stamp(unit.StateChange) or "" end,
  Job = function(unit) return unit.Job ~= "" and "1" or "" end,
  NeedDaemonReload = function() return "no" end,
  ActiveState = function(unit) return unit.SubState == "auto-restart" and "activating" or unit.ActiveState end,
}
local HIDDEN = { ActiveEnter = true, StateChange = true, Processes = true, Pids = true, Skipped = true, Unenforced = true }

local function print_properties(values, wanted, value_only)
  local function put(name, value) print(value_only and tostring(value) or ("%s=%s"):format(name, tostring(value))) end
  if wanted then
    for _, list in ipairs(wanted) do
      for name in list:gmatch("[^,]+") do
        if values[name] ~= nil then put(name, values[name]) end
      end
    end
    return
  end
  local names = {}
  for name in pairs(values) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do put(name, values[name]) end
end

function show.properties(unit, wanted, value_only)
  local values = {}
  for name, value in pairs(unit) do
    if not HIDDEN[name] then values[name] = value end
  end
  for name, derive in pairs(DERIVED) do values[name] = derive(unit) end
  print_properties(values, wanted, value_only)
end

function show.manager(answer, wanted, value_only)
  print_properties({ SystemState = answer.state, NFailedUnits = answer.failed, NJobs = #answer.jobs, Version = "252" }, wanted, value_only)
end

return show
