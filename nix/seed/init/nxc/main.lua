-- PID 1: from the first instruction to the last. `main.run { toplevel = …, roles = …, shell = …, modules = … }` never returns.
local command = require "nxc.command"
local console = require "nxc.boot.console"
local control = require "nxc.control"
local document = require "nxc.boot.document"
local file = require "nxc.file"
local Group = require "nxc.group"
local http = require "nxc.boot.http"
local information = require "nxc.boot.information"
local journal = require "nxc.journal"
local json = require "nxc.json"
local Jobs = require "nxc.jobs"
local linux = require "nxc.linux"
local loop = require "nxc.loop"
local machine = require "nxc.boot.machine"
local network = require "nxc.boot.network"
local parameters = require "nxc.boot.parameters"
local system = require "nxc.boot.system"
local unit = require "nxc.unit"

local main = {}

local DHCP_LIMIT, REPORT_PATIENCE = 20, 900 -- seconds
local SHUTDOWN_LIMIT = 90 -- seconds for all services to stop

local container = machine.is_container(os.getenv)
local jobs -- nil until the role is known

-- The end -----------------------------------------------------------------------------------------------------------

local ending = false

local function finish(how)
  linux.kill(-1, linux.SIGTERM)
  loop.sleep(0.2)
  linux.kill(-1, linux.SIGKILL)
  machine.finish(how, container)
  console.say("cannot " .. how .. ": the kernel refused")
end

--- Stops everything in order, then the machine.
local function shut_down(how)
  if ending then return end
  ending = true
  console.say("stopping for " .. how)
  loop.task(function()
    if jobs then loop.wait(function(wake) jobs:stop_all(wake) end, SHUTDOWN_LIMIT) end
    finish(how)
  end)
end

local function accept_signals()
  -- As systemd(1) has them, and busybox' poweroff, reboot and halt, which signal PID 1.
  local powers = { [linux.SIGTERM] = "reboot", [linux.SIGUSR1] = "halt", [linux.SIGUSR2] = "poweroff",
    [linux.SIGINT] = "reboot", [linux.SIGPWR] = "poweroff",
    [linux.SIGRTMIN + 3] = "halt", [linux.SIGRTMIN + 4] = "poweroff", [linux.SIGRTMIN + 5] = "reboot" }
  for number, how in pairs(powers) do
    loop.on_signal(number, function() shut_down(container and "poweroff" or how) end)
  end
  if not container then linux.catch_ctrl_alt_del() end
end

-- The beginning -----------------------------------------------------------------------------------------------------

local function read_parameters()
  local given = parameters.of_environment(os.getenv)
  if container then return given end
  for name, value in pairs(parameters.parse(file.read("/proc/cmdline") or "")) do given[name] = value end
  return given
end

--- The node's document and its role's toplevel; nil, a sentence, and the document where that at least is valid.
local function identify(options, given)
  local found, why = information.find(given)
  if not found then return nil, why end
  if options.toplevel then
    local role = (file.read(options.toplevel .. "/role") or ""):match("%S+")
    if found.role ~= role then return nil, ("this system is the role %s, not %s"):format(role, found.role), found end
    return found, options.toplevel
  end
  local toplevel = linux.readlink(options.roles .. "/" .. found.role)
  if toplevel then return found, toplevel end
  return nil, ("this image has no role %q, only %s"):format(found.role, table.concat(linux.list(options.roles), ", ")), found
end

local function post(found, content)
  if not found.report then return end
  local done, why = http.request(found.report, json.encode(content), "/dev/null", REPORT_PATIENCE, console.say)
  if not done then console.say("the report was not taken: " .. why) end
end

--- Nothing of the role is started; the node says why, on its console and by report where it can.
local function stay_unconfigured(why, found)
  console.say("NOT CONFIGURED: " .. why)
  if not found then return end
  if not container then network.configure_all(found.interfaces) end
  post(found, { error = why })
end

--- The node's own SSH host key, made at its first boot; the public half, or nil and why.
local function host_key(toplevel)
  local script = toplevel .. "/host-key"
  if not linux.exists(script) then return nil, "the role has no SSH server" end
  local code, output = command.run({ script }, { timeout = 120 })
  local key = output:match("ssh%-ed25519 [%w+/=]+")
  if code ~= 0 or not key then return nil, "cannot make an SSH host key: " .. output end
  return key
end

--- Runs all of `bodies` at the same time; returns when the last is done.
local function together(bodies)
  local open, done = #bodies, nil
  for _, body in ipairs(bodies) do
    local function over()
      open = open - 1
      if open == 0 and done then done() end
    end
    loop.task(function()
      body()
      over()
    end, over)
  end
  if open > 0 then loop.wait(function(wake) done = wake end) end
end

local function complain(what, list)
  if #list > 0 then console.say(what .. ": " .. table.concat(list, ", ")) end
end

local function bring_up_network(found)
  command.run { "/bin/busybox", "ip", "link", "set", "lo", "up" }
  local done, why = network.configure_all(found.interfaces)
  if not done then console.say(why) end
  network.dhcp(information.dhcp_script, DHCP_LIMIT)
  console.phase("network")
end

--- The static configuration of networking.interfaces: lines of card and address.
local function static_interfaces(toplevel)
  for _, line in ipairs(system.lines(toplevel, "interfaces")) do
    local name, address = line:match("^(%S+) (%S+)$")
    if linux.exists("/sys/class/net/" .. name) then network.configure(name, address) end
  end
end

local function set_names(toplevel, found)
  linux.sethostname(found.host)
  if not container then
    file.replace("/etc/hostname", found.host .. "\n")
    file.replace("/etc/hosts", document.hosts_file(file.read(toplevel .. "/etc/hosts") or "127.0.0.1 localhost\n::1 localhost\n", found.hosts))
  end
  file.directory("/etc/nxc")
  file.write("/etc/nxc/role", found.role .. "\n")
  file.write("/etc/nxc/host", found.host .. "\n")
end

--- Turns the bare machine into the role; returns its public host key, where it has one. `shell`: busybox.
local function configure(toplevel, found, shell)
  system.links(toplevel, shell)
  system.accounts(toplevel)
  system.etc(toplevel)
  set_names(toplevel, found)
  system.authorized_keys(toplevel, found.authorizedKeys)
  complain("tmpfiles rules that are not known", system.tmpfiles(toplevel))
  console.phase("files")
  local key, key_problem
  together {
    function()
      if container then return end
      complain("kernel modules that cannot be loaded", machine.load_modules(system.lines(toplevel, "kernel-modules")))
      complain("sysctl settings that the kernel refused", system.sysctl(toplevel))
      static_interfaces(toplevel)
      bring_up_network(found)
    end,
    function()
      key, key_problem = host_key(toplevel)
      console.phase("host-key")
    end,
  }
  if key_problem then console.say(key_problem) end
  if linux.exists(toplevel .. "/post-boot") then
    local code, output = command.run({ toplevel .. "/post-boot" }, {
      timeout = 600, environment = { "PATH=/run/current-system/sw/bin:/bin", "HOME=/root" } })
    for line in output:gmatch("[^\n]+") do journal.say("post-boot", 1, "post-boot", line) end
    if code ~= 0 then console.say("boot.postBootCommands failed, see journalctl -u post-boot") end
    console.phase("post-boot")
  end
  return key
end

local function report(found, toplevel, key)
  if not found.report then return end
  local line = (file.read("/proc/cmdline") or ""):gsub("\n$", "")
  file.write("/run/nxc/cmdline", line)
  post(found, {
    hostKey = key or "",
    toplevel = toplevel,
    role = found.role,
    kernel = (file.read("/proc/sys/kernel/osrelease") or ""):match("%S+"),
    cmdlineSha256 = information.sha256("/run/nxc/cmdline"),
    timings = console.timings(),
  })
end

local function told(name, result)
  if result == "failed" then console.say("FAILED to start " .. name) end
  if result == "dependency" then console.say("FAILED dependency of " .. name) end
end

--- The unit that a line of syslog belongs to: that of the process, else the one of the program's name.
local function unit_of(pid, program)
  local path = pid > 0 and (file.read("/proc/" .. pid .. "/cgroup") or ""):match("/system%.slice/([^\n/]+)")
  if path then return path end
  return program and jobs.units[program .. ".service"] and program .. ".service"
end

local function start_services(toplevel, timings)
  Group.prepare()
  file.directory("/run/systemd/system") -- sd_booted(3)
  jobs = Jobs.new(unit.load(toplevel, linux.list), told)
  journal.syslog("/dev/log", unit_of)
  control.listen(jobs, shut_down)
  jobs:start("default.target", function(result)
    console.phase("services")
    console.say(("the role %s is up (%s)"):format((file.read("/etc/nxc/role") or ""):match("%S+"), result))
    if timings then console.print_phases() end
  end)
end

local function boot(options)
  if not container then
    machine.mount()
    machine.directories()
    console.phase("kernel-and-mounts")
    machine.load_modules(options.modules)
    console.phase("drivers")
  else
    machine.directories()
  end
  file.link(options.shell, "/bin/busybox")
  file.link(options.shell, "/bin/sh")
  local given = read_parameters()
  local found, toplevel, rest = identify(options, given)
  if not found then return stay_unconfigured(toplevel, rest) end
  console.phase("information")
  local key = configure(toplevel, found, options.shell)
  start_services(toplevel, given["nxc.timings"] ~= nil)
  report(found, toplevel, key)
end

--- `options`: toplevel (of a role) or roles (a directory of links, role → toplevel), shell (busybox), modules (names of
--- drivers to load in any case), dhcp_script.
function main.run(options)
  loop.trouble = function(problem) console.say("internal error: " .. problem) end
  information.dhcp_script = options.dhcp_script
  accept_signals()
  loop.task(function() boot(options) end, function(problem) stay_unconfigured("internal error: " .. problem) end)
  loop.run()
end

return main
