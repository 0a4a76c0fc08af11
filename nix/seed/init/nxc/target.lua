-- A target: a name for a state of the system, reached when all that it is ordered after is there.
local linux = require "nxc.linux"

local Target = {}
Target.__index = Target

function Target.new(record, changed)
  return setmetatable({
    name = record.name, unit = record, changed = changed, active = "inactive", sub = "dead", result = "success", since = linux.now(),
    processes = {}, restarts = 0,
  }, Target)
end

local function enter(self, active, sub)
  self.active, self.sub, self.since = active, sub, linux.now()
  if active == "active" then self.active_since = self.since end
  self.changed(self)
end

function Target:start() enter(self, "active", "active") end

function Target:stop() enter(self, "inactive", "dead") end

function Target:reset() end

return Target
