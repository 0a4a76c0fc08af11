-- What a person at the machine's console sees, and the time each phase of the boot took.
local journal = require "nxc.journal"
local linux = require "nxc.linux"

local console = { phases = {} }

local fd

--- One line on the console and in the journal of "init".
function console.say(text)
  fd = fd or linux.open("/dev/console", linux.O_WRONLY + linux.O_NOCTTY) or 2
  linux.write(fd, "nxc: " .. text .. "\n")
  journal.say("init", 1, "init", text)
end

--- Notes that a phase is over now: seconds since the kernel started.
function console.phase(name) console.phases[#console.phases + 1] = { name = name, at = linux.monotonic() } end

--- Name → seconds since the kernel started, when the phase was over.
function console.timings()
  local timings = {}
  for _, phase in ipairs(console.phases) do timings[phase.name] = phase.at end
  return timings
end

--- The phases as a table for people: how long each took, and when it was over.
function console.print_phases()
  local before = 0
  console.say("phase            took     at")
  for _, phase in ipairs(console.phases) do
    console.say(("%-14s %6.2f %6.2f"):format(phase.name, phase.at - before, phase.at))
    before = phase.at
  end
end

return console
