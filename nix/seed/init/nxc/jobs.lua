-- Which units start and stop, and in what order: systemd's jobs. A unit has at most one job; a job runs when no job is
-- left of a unit that it is ordered after; Requires= and BindsTo= hand failures on.
local journal = require "nxc.journal"
local loop = require "nxc.loop"
local Service = require "nxc.service"
local Target = require "nxc.target"

local Jobs = {}
Jobs.__index = Jobs

local function keys(set)
  local list = {}
  for key in pairs(set) do list[#list + 1] = key end
  table.sort(list)
  return list
end

--- `records`: what unit.load gave. `told(name, result)` is called at the end of each job.
function Jobs.new(records, told)
  local self = setmetatable({ units = {}, jobs = {}, told = told, after = {}, needs = {}, wants = {}, conflicts = {} }, Jobs)
  for name, record in pairs(records) do
    local class = record.kind == "target" and Target or Service
    self.units[name] = class.new(record, function(unit) self:changed(unit) end)
    self.after[name], self.needs[name], self.wants[name], self.conflicts[name] = {}, {}, {}, {}
  end
  for _, name in ipairs(keys(records)) do self:relate(name, records[name]) end
  for _, name in ipairs(keys(records)) do self:default_relations(name, records[name]) end
  return self
end

--- Notes `other` in `relation[name]`, where both exist.
local function note(relation, name, other)
  if relation[name] then relation[name][other] = true end
end

function Jobs:relate(name, record)
  for _, other in ipairs(record.After) do note(self.after, name, other) end
  for _, other in ipairs(record.Before) do note(self.after, other, name) end
  for _, other in ipairs(record.Wants) do note(self.wants, name, other) end
  for _, other in ipairs(record.WantedBy) do note(self.wants, other, name) end
  for _, other in ipairs(record.Requires) do note(self.needs, name, other) end
  for _, other in ipairs(record.BindsTo) do note(self.needs, name, other) end
  for _, other in ipairs(record.RequiredBy) do note(self.needs, other, name) end
  for _, other in ipairs(record.Conflicts) do
    note(self.conflicts, name, other)
    note(self.conflicts, other, name)
  end
end

--- What systemd adds by itself: a service comes after basic.target, a target after what it wants and needs.
function Jobs:default_relations(name, record)
  if record.kind == "target" then
    for _, relation in ipairs { self.wants, self.needs } do
      for other in pairs(relation[name]) do
        if self.units[other] and not self.after[other][name] then self.after[name][other] = true end
      end
    end
  elseif record.DefaultDependencies ~= "no" and not self:early(name) then
    self.after[name]["basic.target"] = true
    self.needs[name]["basic.target"] = true
  end
end

--- Whether basic.target comes after the unit, so that it cannot come after basic.target.
function Jobs:early(name)
  for _, target in ipairs { "local-fs.target", "sysinit.target", "basic.target", "network-pre.target" } do
    if self.after[target][name] or self.wants[target][name] or self.needs[target][name] then return true end
  end
  return false
end

-- Requests --------------------------------------------------------------------------------------------------------

local function idle(unit) return unit.active == "inactive" or unit.active == "failed" end

--- Starts units and what they need; done(result) with "done", "failed", "dependency", "canceled" or "skipped" of `name`.
function Jobs:start(name, done)
  self:want_started(name, {})
  self:answer(name, done, "done")
  self:dispatch()
end

function Jobs:want_started(name, seen)
  if seen[name] then return end
  seen[name] = true
  local unit = self.units[name]
  for _, relation in ipairs { self.needs, self.wants } do
    for other in pairs(relation[name]) do
      if self.units[other] then self:want_started(other, seen) end
    end
  end
  for other in pairs(self.conflicts[name]) do
    if not idle(self.units[other]) then self:want_stopped(other, {}) end
  end
  local job = self.jobs[name]
  if job and job.kind == "stop" then
    job.again = true
  elseif not job and (idle(unit) or unit.active == "deactivating" or unit.sub == "auto-restart") then
    self:add(name, "start")
  end
end

function Jobs:stop(name, done)
  self:want_stopped(name, {})
  self:answer(name, done, "done")
  self:dispatch()
end

--- The names of units that go down when `name` does.
function Jobs:dependents(name)
  local list = {}
  for _, other in ipairs(keys(self.units)) do
    local record = self.units[other].unit
    local part = false
    for _, whole in ipairs(record.PartOf) do part = part or whole == name end
    if part or self.needs[other][name] then list[#list + 1] = other end
  end
  return list
end

function Jobs:want_stopped(name, seen)
  if seen[name] then return end
  seen[name] = true
  for _, other in ipairs(self:dependents(name)) do
    if not idle(self.units[other]) or self.jobs[other] then self:want_stopped(other, seen) end
  end
  local job = self.jobs[name]
  if job and job.kind == "start" then self:complete(name, "canceled") end
  if not self.jobs[name] and (not idle(self.units[name]) or self.units[name].task) then self:add(name, "stop") end
end

--- Stops and starts it, and with it the running units that depend on it.
function Jobs:restart(name, done)
  local running = {}
  for _, other in ipairs(self:dependents(name)) do
    if not idle(self.units[other]) then running[#running + 1] = other end
  end
  self:want_stopped(name, {})
  self:want_started(name, {})
  for _, other in ipairs(running) do self:want_started(other, {}) end
  self:answer(name, done, "done")
  self:dispatch()
end

--- Stops everything, for shutdown; done() when nothing runs any more.
function Jobs:stop_all(done)
  self.closing = true
  for _, name in ipairs(keys(self.units)) do self:want_stopped(name, {}) end
  self.all_done = done
  self:dispatch()
end

--- done(result) at the end of the unit's job; `otherwise` where it has none.
function Jobs:answer(name, done, otherwise)
  if not done then return end
  local job = self.jobs[name]
  if job then table.insert(job.waiters, done) else loop.soon(function() done(otherwise) end) end
end

-- Jobs ------------------------------------------------------------------------------------------------------------

function Jobs:add(name, kind) self.jobs[name] = { kind = kind, state = "waiting", waiters = {} } end

--- Whether the job must wait for `other`'s: a start comes after the starts of what it is ordered after and after all
--- stops that it is ordered with; a stop comes after the stops of what is ordered after it.
function Jobs:blocked_by(name, job, other, theirs)
  if job.kind == "start" then
    if self.after[name][other] then return true end
    return theirs.kind == "stop" and (self.after[other][name] or self.conflicts[name][other])
  end
  return theirs.kind == "stop" and self.after[other][name]
end

function Jobs:ready(name, job)
  -- What is going down by itself gets there first: its processes are still being killed.
  if job.kind == "start" and self.units[name].active == "deactivating" then return false end
  for other, theirs in pairs(self.jobs) do
    if other ~= name and self:blocked_by(name, job, other, theirs) then return false end
  end
  return true
end

--- Runs all jobs that may run now.
function Jobs:dispatch()
  if self.dispatching then return end
  self.dispatching = true
  loop.soon(function()
    self.dispatching = false
    local running = false
    for _, name in ipairs(keys(self.jobs)) do
      local job = self.jobs[name]
      if job and job.state == "waiting" and self:ready(name, job) then self:run(name, job) end
    end
    local waiting = keys(self.jobs)
    for _, name in ipairs(waiting) do
      running = running or self.jobs[name].state == "running" or self.units[name].active == "deactivating"
    end
    if #waiting > 0 and not running and not self.dispatching then
      journal.say("init", 1, "init", "Ordering cycle among " .. table.concat(waiting, ", ") .. "; " .. waiting[1] .. " goes first")
      self:run(waiting[1], self.jobs[waiting[1]])
    end
    if #waiting == 0 and self.all_done then
      local done = self.all_done
      self.all_done = nil
      done()
    end
  end)
end

function Jobs:run(name, job)
  job.state = "running"
  local unit = self.units[name]
  if job.kind == "stop" then
    if idle(unit) and not unit.task then return self:complete(name, "done") end
    unit:stop()
  elseif self:lacks(name) then
    self:complete(name, "dependency")
  else
    unit:start()
  end
end

--- A unit that this one needs and is ordered after, and that is not there.
function Jobs:lacks(name)
  for other in pairs(self.needs[name]) do
    local unit = self.units[other]
    if not unit then return other end
    if self.after[name][other] and idle(unit) and not unit.skipped then return other end
  end
  return nil
end

function Jobs:changed(unit)
  local job = self.jobs[unit.name]
  if job and job.state == "running" then
    if job.kind == "start" then
      if unit.active == "active" then
        self:complete(unit.name, "done")
      elseif unit.active == "failed" or unit.sub == "auto-restart" then
        self:complete(unit.name, "failed")
      elseif unit.active == "inactive" then
        self:complete(unit.name, unit.skipped and "skipped" or "done")
      end
    elseif idle(unit) then
      self:complete(unit.name, "done")
    end
  end
  if job and job.state == "waiting" then self:dispatch() end
  if idle(unit) and not self.closing then self:stop_bound(unit.name) end
end

--- BindsTo=: goes down with the unit even where that ends by itself.
function Jobs:stop_bound(name)
  for _, other in ipairs(keys(self.units)) do
    for _, bound in ipairs(self.units[other].unit.BindsTo) do
      if bound == name and self.units[other].active == "active" then self:stop(other) end
    end
  end
end

function Jobs:complete(name, result)
  local job = self.jobs[name]
  self.jobs[name] = nil
  if job.again then -- a restart: the start goes on under the same waiters
    self:add(name, "start")
    self.jobs[name].waiters = job.waiters
    return self:dispatch()
  end
  if job.kind == "start" then
    self.told(name, result)
    if result == "failed" or result == "dependency" then self:fail_dependents(name) end
  end
  for _, done in ipairs(job.waiters) do loop.soon(function() done(result) end) end
  self:dispatch()
end

function Jobs:fail_dependents(name)
  for _, other in ipairs(keys(self.jobs)) do
    local job = self.jobs[other]
    if job and job.kind == "start" and job.state == "waiting" and self.needs[other][name] then
      journal.say(other, 1, "init", "Dependency failed: " .. name)
      self:complete(other, "dependency")
    end
  end
end

return Jobs
