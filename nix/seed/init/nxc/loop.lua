-- The event loop: descriptors, timers, dead children, and tasks (coroutines that wait for those). One thread; whatever
-- a callback raises is told to `loop.trouble` and never ends the loop, for PID 1 must not die.
local linux = require "nxc.linux"

local loop = { trouble = function(text) io.stderr:write(text, "\n") end }

local watches = {} -- descriptor → { fd, events, callback }
local timers = {} -- a set of { at, callback }
local exits = {} -- pid → a list of callback(how, code)
local queue = {} -- callbacks for this turn
local signals = {} -- number → callback
local signal_fd
local reaped = {} -- callbacks after any child died, once each turn

local function call(callback, ...)
  local fine, problem = xpcall(callback, debug.traceback, ...)
  if not fine then loop.trouble(problem) end
end

--- Calls back as often as there is something to read (or the peer hung up).
function loop.watch(fd, callback, events) watches[fd] = { fd = fd, events = events or linux.POLLIN, callback = callback } end

function loop.unwatch(fd) watches[fd] = nil end

--- Calls back once, in so many seconds; the value returned is for `loop.cancel`.
function loop.after(seconds, callback)
  local timer = { at = linux.monotonic() + seconds, callback = callback }
  timers[timer] = true
  return timer
end

function loop.cancel(timer) timers[timer] = nil end

--- Calls back in this turn, after what runs now.
function loop.soon(callback) queue[#queue + 1] = callback end

--- Calls back once when this child has died: callback("exited", code) or callback("killed", signal).
function loop.on_exit(pid, callback)
  exits[pid] = exits[pid] or {}
  table.insert(exits[pid], callback)
end

function loop.on_signal(number, callback) signals[number] = callback end

--- Calls back in each turn in which a child (also an adopted one) was reaped.
function loop.on_reaped(key, callback) reaped[key] = callback end

local function run_queue()
  while #queue > 0 do
    local now = queue
    queue = {}
    for _, callback in ipairs(now) do call(callback) end
  end
end

local function reap()
  local any = false
  for pid, how, code in linux.reap do
    any = true
    local callbacks = exits[pid] or {}
    exits[pid] = nil
    for _, callback in ipairs(callbacks) do call(callback, how, code) end
  end
  if any then
    local callbacks = {}
    for _, callback in pairs(reaped) do callbacks[#callbacks + 1] = callback end
    for _, callback in ipairs(callbacks) do call(callback) end
  end
end

local function read_signals()
  for number in linux.next_signal, signal_fd do
    if number == linux.SIGCHLD then
      loop.soon(reap)
    elseif signals[number] then
      call(signals[number])
    end
  end
end

local function run_timers()
  local now, due = linux.monotonic(), {}
  for timer in pairs(timers) do
    if timer.at <= now then due[#due + 1] = timer end
  end
  table.sort(due, function(one, other) return one.at < other.at end)
  for _, timer in ipairs(due) do
    if timers[timer] then
      timers[timer] = nil
      call(timer.callback)
    end
  end
end

local function next_timeout()
  local soonest
  for timer in pairs(timers) do
    if not soonest or timer.at < soonest then soonest = timer.at end
  end
  return soonest and soonest - linux.monotonic()
end

--- Runs for ever.
function loop.run()
  signal_fd = assert(linux.signals())
  loop.watch(signal_fd, read_signals)
  reap() -- children that died before signals were blocked
  while true do
    run_queue()
    local set = {}
    for _, watch in pairs(watches) do set[#set + 1] = watch end
    linux.poll(set, next_timeout())
    for _, watch in ipairs(set) do
      if watch.ready ~= 0 and watches[watch.fd] == watch then call(watch.callback) end
    end
    run_queue()
    run_timers()
  end
end

-- Tasks -----------------------------------------------------------------------------------------------------------

local Task = {}
Task.__index = Task
local running

local function resume(task, ...)
  local before = running
  running = task
  local fine, problem = coroutine.resume(task.thread, ...)
  running = before
  if not fine then
    loop.trouble(debug.traceback(task.thread, problem))
    if task.on_error then call(task.on_error, problem) end
  end
end

--- Runs `body` as a coroutine, from this turn on. `on_error`: called where it raises.
function loop.task(body, on_error)
  local task = setmetatable({ thread = coroutine.create(body), on_error = on_error }, Task)
  loop.soon(function()
    if not task.cancelled then resume(task) end
  end)
  return task
end

--- It never runs on; what it waited for is forgotten.
function Task:cancel()
  self.cancelled = true
  if self.unsubscribe then self.unsubscribe() end
end

--- In a task: waits until the function given to `subscribe` is called, and returns its arguments; nil after `timeout`
--- seconds (nil: no limit). What `subscribe` returns, if anything, is called when the wait is over in any way.
function loop.wait(subscribe, timeout)
  local task, done, timer = running, false, nil
  local function wake(...)
    if done or task.cancelled then return end
    done = true
    task.unsubscribe()
    local arguments = { n = select("#", ...), ... }
    loop.soon(function()
      if not task.cancelled then resume(task, unpack(arguments, 1, arguments.n)) end
    end)
  end
  local stop
  task.unsubscribe = function()
    task.unsubscribe = nil
    if timer then loop.cancel(timer) end
    if stop then stop() end
  end
  if timeout then timer = loop.after(timeout, wake) end
  stop = subscribe(wake)
  return coroutine.yield()
end

function loop.sleep(seconds) loop.wait(function() end, seconds) end

--- In a task: whether `condition()` came true within the time; looked at after each death of a child and ten times a
--- second.
function loop.wait_until(condition, timeout)
  local deadline = timeout and linux.monotonic() + timeout
  while not condition() do
    local left = deadline and deadline - linux.monotonic()
    if left and left <= 0 then return false end
    local key = {}
    loop.wait(function(wake)
      loop.on_reaped(key, wake)
      return function() loop.on_reaped(key, nil) end
    end, math.min(0.1, left or 0.1))
  end
  return true
end

return loop
