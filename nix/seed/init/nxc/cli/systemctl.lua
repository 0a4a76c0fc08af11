-- systemctl, as far as people and tests use it, with systemd's output and exit codes (systemctl(1)).
local arguments = require "nxc.cli.arguments"
local client = require "nxc.cli.client"
local file = require "nxc.file"
local show = require "nxc.cli.show"

local OPTIONS = {
  ["--no-pager"] = "flag", ["--full"] = "flag", ["-l"] = "--full", ["--quiet"] = "flag", ["-q"] = "--quiet", ["--failed"] = "flag",
  ["--all"] = "flag", ["-a"] = "--all", ["--property"] = "value", ["-p"] = "--property", ["--value"] = "flag", ["--plain"] = "flag",
  ["--no-legend"] = "flag", ["--legend"] = "optional", ["--state"] = "value", ["--type"] = "value", ["-t"] = "--type", ["--lines"] = "value", ["-n"] = "--lines",
  ["--no-block"] = "flag", ["--wait"] = "flag", ["--signal"] = "value", ["-s"] = "--signal", ["--kill-who"] = "value", ["--kill-whom"] = "value",
  ["--force"] = "flag", ["-f"] = "--force", ["--now"] = "flag", ["--system"] = "flag", ["--output"] = "value", ["-o"] = "--output",
  ["--job-mode"] = "value", ["--runtime"] = "flag", ["--no-ask-password"] = "flag", ["--no-reload"] = "flag", ["--version"] = "flag",
}

local EXIT_INACTIVE, EXIT_UNKNOWN, EXIT_NOT_INSTALLED = 3, 4, 5

local verbs = {}

local function names_of(rest)
  local names = {}
  for index = 2, #rest do names[#names + 1] = client.unit_name(rest[index]) end
  return names
end

local function need_names(rest)
  if #rest < 2 then client.fail(1, "Too few arguments.") end
  return names_of(rest)
end

--- The units of these names or patterns; all of them where there is none.
local function units(patterns)
  local answer = client.ask { verb = "show" }
  if #patterns == 0 then return answer.units end
  local chosen = {}
  for _, pattern in ipairs(patterns) do
    local found = false
    for _, unit in ipairs(answer.units) do
      if client.matches(unit.Id, pattern) then
        chosen[#chosen + 1] = unit
        found = true
      end
    end
    if not found and not pattern:find("[*?]") then
      chosen[#chosen + 1] = { Id = pattern, Names = pattern, Description = pattern, LoadState = "not-found", ActiveState = "inactive", SubState = "dead", UnitFileState = "" }
    end
  end
  return chosen
end

-- Changes -----------------------------------------------------------------------------------------------------------

local WHY = {
  ["exit-code"] = "the control process exited with error code", signal = "a fatal signal was delivered to the control process",
  timeout = "a timeout was exceeded", ["start-limit-hit"] = "start of the service was attempted too often",
  protocol = "the service did not take the steps required by its unit configuration", resources = "of unavailable resources or another system error",
}

local function explain(verb, name, result)
  if result == "not-found" then return EXIT_NOT_INSTALLED, ("Failed to %s %s: Unit %s not found."):format(verb, name, name) end
  if result == "inactive" then return 1, ("%s is not active, cannot %s."):format(name, verb) end
  if result == "unsupported" then return 1, ("Failed to %s %s: Job type %s is not applicable for unit %s."):format(verb, name, verb, name) end
  if result == "dependency" then
    return 1, ("A dependency job for %s failed. See 'journalctl -xe' for details."):format(name)
  end
  if result == "canceled" then return 1, ("Job for %s canceled."):format(name) end
  local unit = client.ask({ verb = "show", units = require("nxc.json").list { name } }).units[1]
  return 1, ("Job for %s failed because %s.\nSee \"systemctl status %s\" and \"journalctl -xeu %s\" for details."):format(
    name, WHY[unit.Result] or "it failed with result " .. unit.Result, name, name)
end

local function change(verb, names, more)
  local request = more or {}
  request.verb, request.units = verb, require("nxc.json").list(names)
  local results, code = client.ask(request).results, 0
  for _, name in ipairs(names) do
    if results[name] ~= "done" and results[name] ~= "skipped" then
      local problem, text = explain(verb, name, results[name])
      code = problem
      io.stderr:write(text, "\n")
    end
  end
  client.exit(code)
end

--- Patterns are of units that exist, as systemctl has it for stop, restart and the like.
local function expanded(rest)
  local names = {}
  for _, name in ipairs(need_names(rest)) do
    if name:find("[*?]") then
      for _, unit in ipairs(units { name }) do
        if unit.ActiveState ~= "inactive" then names[#names + 1] = unit.Id end
      end
    else
      names[#names + 1] = name
    end
  end
  return names
end

for _, verb in ipairs { "start", "stop", "restart", "try-restart", "reload", "reload-or-restart" } do
  verbs[verb] = function(options, rest)
    if options["--no-block"] then -- PID 1 goes on when we have gone
      if os.execute(("( %s ) </dev/null >/dev/null 2>&1 &"):format(table.concat({ "systemctl", verb, unpack(names_of(rest)) }, " "))) then client.exit(0) end
    end
    change(verb, expanded(rest))
  end
end
verbs["condrestart"] = verbs["try-restart"]
verbs["force-reload"] = verbs["reload-or-restart"]

verbs["reset-failed"] = function(_, rest)
  local names = names_of(rest)
  if #names == 0 then
    for _, unit in ipairs(units {}) do names[#names + 1] = unit.Id end
  end
  change("reset-failed", names)
end

verbs.kill = function(options, rest)
  local whom = options["--kill-who"] or options["--kill-whom"]
  change("kill", need_names(rest), { signal = options["--signal"] and options["--signal"][1], whom = whom and whom[1] })
end

verbs["daemon-reload"] = function() client.exit(0) end
verbs["daemon-reexec"] = verbs["daemon-reload"]

for _, verb in ipairs { "enable", "disable", "mask", "unmask", "edit", "link", "preset", "set-property" } do
  verbs[verb] = function()
    client.fail(1, "Failed to %s unit: units are part of the role's system, which is built; say it in the composition instead.", verb)
  end
end

for _, verb in ipairs { "poweroff", "reboot", "halt" } do
  verbs[verb] = function(options) require("nxc.cli.power")(options["--force"] and { "-f" } or {}, verb) end
end

for _, verb in ipairs { "isolate", "default", "rescue", "emergency", "kexec", "suspend", "hibernate" } do
  verbs[verb] = function() client.fail(1, "systemctl %s is not supported here.", verb) end
end

-- Looks -------------------------------------------------------------------------------------------------------------

--- A verb that prints a word for each unit; its exit code is 0 where one of them is good.
local function ask_each(word_of, good, code, unknown_code)
  return function(options, rest)
    local fine, unknown = false, true
    for _, unit in ipairs(units(need_names(rest))) do
      local word = word_of(unit)
      if good(word) then fine = true end
      if unit.LoadState ~= "not-found" then unknown = false end
      if not options["--quiet"] then print(word) end
    end
    client.exit(fine and 0 or unknown and unknown_code or code)
  end
end

verbs["is-active"] = ask_each(function(unit) return unit.SubState == "auto-restart" and "activating" or unit.ActiveState end,
  function(word) return word == "active" end, EXIT_INACTIVE, EXIT_UNKNOWN)
verbs["is-failed"] = ask_each(function(unit) return unit.ActiveState end, function(word) return word == "failed" end, 1, 1)

verbs["is-enabled"] = function(options, rest)
  local code = 0
  for _, unit in ipairs(units(need_names(rest))) do
    if unit.LoadState == "not-found" then client.fail(1, "Failed to get unit file state for %s: No such file or directory", unit.Id) end
    if not options["--quiet"] then print(unit.UnitFileState) end
  end
  client.exit(code)
end

verbs["is-system-running"] = function(options)
  local state = client.ask({ verb = "system" }).state
  if options["--wait"] then
    while state == "starting" do
      os.execute("exec /bin/busybox sleep 0.2")
      state = client.ask({ verb = "system" }).state
    end
  end
  if not options["--quiet"] then print(state) end
  client.exit(state == "running" and 0 or 1)
end

verbs["list-jobs"] = function()
  local jobs = client.ask({ verb = "system" }).jobs
  if #jobs == 0 then return print("No jobs running.") end
  print("JOB UNIT TYPE STATE")
  for index, job in ipairs(jobs) do print(("%d %s %s %s"):format(index, job.unit, job.kind, job.state)) end
  print(("\n%d jobs listed."):format(#jobs))
end

verbs["list-units"] = function(options, rest)
  local states, kinds = {}, {}
  local function collect(given, into)
    for _, text in ipairs(given or {}) do
      for word in text:gmatch("[^,]+") do
        into[word] = true
        into.any = true
      end
    end
  end
  collect(options["--state"], states)
  if options["--failed"] then states.failed, states.any = true, true end
  collect(options["--type"], kinds)
  local patterns = {}
  for index = 2, #rest do patterns[#patterns + 1] = rest[index]:find("[*?]") and rest[index] or client.unit_name(rest[index]) end
  local chosen = {}
  for _, unit in ipairs(units(patterns)) do
    local shown = unit.LoadState ~= "not-found" and (not kinds.any or kinds[unit.Id:match("%a+$")])
    if states.any then
      shown = shown and (states[unit.ActiveState] or states[unit.SubState] or states[unit.LoadState])
    elseif not options["--all"] then
      shown = shown and (unit.ActiveState ~= "inactive" or unit.Job ~= "")
    end
    if shown then chosen[#chosen + 1] = unit end
  end
  show.list(chosen, not (options["--no-legend"] or options["--legend"] and options["--legend"][1]:match("^[nf0]")), options["--plain"])
end

verbs["list-unit-files"] = function(options)
  if not options["--no-legend"] then print("UNIT FILE                        STATE    PRESET") end
  for _, unit in ipairs(units {}) do print(("%-32s %-8s -"):format(unit.Id, unit.UnitFileState)) end
end

verbs.status = function(options, rest)
  if #rest < 2 then return show.system(client.ask { verb = "system" }, units {}) end
  local code = 0
  for index, unit in ipairs(units(names_of(rest))) do
    if index > 1 then print() end
    if unit.LoadState == "not-found" then
      io.stderr:write(("Unit %s could not be found.\n"):format(unit.Id))
      code = EXIT_UNKNOWN
    else
      show.status(unit, options["--lines"] and tonumber(options["--lines"][1]) or 10)
      if code == 0 and unit.ActiveState ~= "active" and unit.ActiveState ~= "reloading" then code = EXIT_INACTIVE end
    end
  end
  client.exit(code)
end

verbs.show = function(options, rest)
  if #rest < 2 then return show.manager(client.ask { verb = "system" }, options["--property"], options["--value"]) end
  for index, unit in ipairs(units(names_of(rest))) do
    if index > 1 then print() end
    show.properties(unit, options["--property"], options["--value"])
  end
end

verbs.cat = function(_, rest)
  for index, unit in ipairs(units(need_names(rest))) do
    if unit.LoadState == "not-found" then client.fail(1, "No files found for %s.", unit.Id) end
    if index > 1 then print() end
    if unit.FragmentPath ~= "" then
      print("# " .. unit.FragmentPath)
      io.write(file.read(unit.FragmentPath) or "")
    else
      print("# part of init")
    end
  end
end

return function(given)
  local options, rest = arguments("systemctl", given, OPTIONS)
  if options["--version"] then return print("systemctl of nxc (the commands of systemd 252 that docs/limits.md lists)") end
  local verb = rest[1] or "list-units"
  local act = verbs[verb] or client.fail(1, "Unknown command verb '%s'.", verb)
  act(options, rest)
end
