-- All processes of one unit, wherever they fork to: its control group, or, where there is none to write to (containers),
-- what a look through /proc finds: processes that carry the unit's invocation in their environment, share the session of
-- one that we started, or descend from such a process.
local linux = require "nxc.linux"
local file = require "nxc.file"
local loop = require "nxc.loop"

local Group = {}
Group.__index = Group

local ROOT = "/sys/fs/cgroup"
local slice

--- Looks once whether control groups can be made; called before the first service.
function Group.prepare()
  if linux.exists(ROOT .. "/cgroup.procs") and (linux.mkdir(ROOT .. "/system.slice") or linux.writable(ROOT .. "/system.slice/cgroup.procs")) then
    slice = ROOT .. "/system.slice"
    for _, controller in ipairs { "pids", "memory", "cpu" } do file.write(ROOT .. "/cgroup.subtree_control", "+" .. controller) end
    for _, controller in ipairs { "pids", "memory", "cpu" } do file.write(slice .. "/cgroup.subtree_control", "+" .. controller) end
  end
end

function Group.new(unit, invocation)
  local self = setmetatable({ unit = unit, invocation = invocation, sessions = {}, children = {} }, Group)
  if slice then
    self.path = slice .. "/" .. unit
    linux.mkdir(self.path)
  end
  return self
end

--- In the child, before exec: this process belongs to the group from now on.
function Group:join()
  if self.path then file.write(self.path .. "/cgroup.procs", "0") end
end

--- In the parent: a child was started that will lead a session of its own in this group. Until it does, only this list
--- knows of it; a stop at that moment must not miss it.
function Group:started(pid)
  self.sessions[pid], self.children[pid] = true, true
  loop.on_exit(pid, function() self.children[pid] = nil end)
end

local function status(pid)
  local text = file.read("/proc/" .. pid .. "/stat")
  local state, parent, _, session = (text or ""):match("%) (%a) (%d+) (%d+) (%d+)")
  return state, tonumber(parent), tonumber(session)
end

function Group:search()
  local mark, known, parents = "INVOCATION_ID=" .. self.invocation, {}, {}
  for pid in pairs(self.children) do known[pid] = true end
  for _, name in ipairs(linux.list("/proc")) do
    local pid = tonumber(name)
    if pid and pid > 1 and pid ~= linux.getpid() then
      local state, parent, session = status(pid)
      if state and state ~= "Z" then
        parents[pid] = parent
        if self.sessions[session] or (file.read("/proc/" .. pid .. "/environ") or ""):find(mark, 1, true) then known[pid] = true end
      end
    end
  end
  local grew = true
  while grew do
    grew = false
    for pid, parent in pairs(parents) do
      if known[parent] and not known[pid] then known[pid], grew = true, true end
    end
  end
  local list = {}
  for pid in pairs(known) do list[#list + 1] = pid end
  table.sort(list)
  return list
end

--- The processes that live in it, ascending.
function Group:pids()
  if not self.path then return self:search() end
  local known, list = {}, {}
  for pid in pairs(self.children) do known[pid] = true end
  for pid in (file.read(self.path .. "/cgroup.procs") or ""):gmatch("%d+") do known[tonumber(pid)] = true end
  for pid in pairs(known) do
    if pid > 0 and status(pid) ~= "Z" then list[#list + 1] = pid end
  end
  table.sort(list)
  return list
end

function Group:empty()
  if next(self.children) then return false end
  if self.path then
    local events = file.read(self.path .. "/cgroup.events")
    return not events or events:find("populated 0", 1, true) ~= nil
  end
  return #self:search() == 0
end

function Group:has(pid)
  for _, member in ipairs(self:pids()) do
    if member == pid then return true end
  end
  return false
end

--- Sends a signal to every process. `seen`: a set of those that had it before and get it no more; it grows.
function Group:kill(signal, seen)
  if signal == linux.SIGKILL and self.path then file.write(self.path .. "/cgroup.kill", "1") end
  for _, pid in ipairs(self:pids()) do
    if not (seen and seen[pid]) then
      if seen then seen[pid] = true end
      linux.kill(pid, signal)
      if signal ~= linux.SIGKILL then linux.kill(pid, linux.SIGCONT) end
    end
  end
end

--- A number out of one of the group's control files, or nil.
function Group:number(name)
  return self.path and tonumber((file.read(self.path .. "/" .. name) or ""):match("%d+"))
end

function Group:cpu_nanoseconds()
  local text = self.path and file.read(self.path .. "/cpu.stat")
  return text and tonumber(text:match("usage_usec (%d+)")) * 1000
end

function Group:remove()
  if self.path then linux.rmdir(self.path) end
end

return Group
