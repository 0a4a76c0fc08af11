-- Makes the running system the one that a role's toplevel describes: /etc, accounts, directories, kernel settings.
-- nix/seed/system.nix writes what is read here.
local command = require "nxc.command"
local file = require "nxc.file"
local linux = require "nxc.linux"

local system = {}

local function lines_of(path)
  local lines = {}
  for line in (file.read(path) or ""):gmatch("[^\n]+") do lines[#lines + 1] = line end
  return lines
end

--- The non-empty lines of one of the toplevel's lists.
function system.lines(toplevel, name) return lines_of(toplevel .. "/" .. name) end

local function fields(line)
  local list = {}
  for field in (line .. "\t"):gmatch("([^\t]*)\t") do list[#list + 1] = field end
  return list
end

local function ids(user, group)
  local found = linux.user(user)
  return found and found.uid or tonumber(user) or 0, linux.group(group) or found and found.gid or 0
end

--- passwd, group, shadow first, for everything else names users.
function system.accounts(toplevel)
  for name, mode in pairs { passwd = "0644", group = "0644", shadow = "0600" } do
    file.replace("/etc/" .. name, file.read(toplevel .. "/accounts/" .. name) or "", mode)
  end
  for _, line in ipairs(lines_of(toplevel .. "/accounts/homes")) do
    local path, user, group, mode = unpack(fields(line))
    file.directory(path)
    linux.chmod(path, tonumber(mode, 8))
    linux.chown(path, ids(user, group))
  end
end

--- Each line of the list: path below /etc, "symlink" or a mode, user, group.
function system.etc(toplevel)
  for _, line in ipairs(lines_of(toplevel .. "/etc.list")) do
    local path, mode, user, group = unpack(fields(line))
    local target, source = "/etc/" .. path, toplevel .. "/etc/" .. path
    file.directory(target:match("^(.*)/"))
    if mode == "symlink" then
      file.link(source, target)
    else
      file.replace(target, file.read(source) or "", tonumber(mode, 8))
      linux.chown(target, ids(user, group))
    end
  end
end

--- Public keys of a user: the composition's, and for root the deployment's.
function system.authorized_keys(toplevel, deployment_keys)
  local keys = {}
  for _, user in ipairs(linux.list(toplevel .. "/accounts/authorized-keys")) do
    keys[user] = file.read(toplevel .. "/accounts/authorized-keys/" .. user)
  end
  keys.root = (keys.root or "") .. table.concat(deployment_keys, "\n") .. (#deployment_keys > 0 and "\n" or "")
  for user, text in pairs(keys) do
    local found = linux.user(user)
    if found then
      local directory = found.home .. "/.ssh"
      file.directory(directory)
      linux.chmod(directory, "0700")
      linux.chown(directory, found.uid, found.gid)
      file.replace(directory .. "/authorized_keys", text, "0600")
      linux.chown(directory .. "/authorized_keys", found.uid, found.gid)
    end
  end
end

--- Names that are expected outside /nix/store: the system itself, sh, env, dropbear's search path and SFTP server.
function system.links(toplevel, shell)
  file.link(toplevel, "/run/current-system")
  if not linux.exists("/run/booted-system") then file.link(toplevel, "/run/booted-system") end
  file.directory("/usr/lib")
  file.link(shell, "/bin/sh")
  if not linux.exists("/bin/busybox") then file.link(shell, "/bin/busybox") end
  file.directory("/usr/bin")
  file.link("/run/current-system/sw/bin/env", "/usr/bin/env")
  file.directory("/usr/local")
  if not linux.exists("/usr/local/bin") then file.link("/run/current-system/sw/bin", "/usr/local/bin") end
  local sftp = "/run/current-system/sw/bin/sftp-server"
  if linux.exists(sftp) then file.link(sftp, "/usr/lib/sftp-server") end
end

-- tmpfiles.d(5): what a line of each type does.
local function create(path, mode, uid, gid)
  if mode then linux.chmod(path, mode) end
  linux.chown(path, uid, gid)
end

local TMPFILES = {
  d = function(path, mode, uid, gid)
    file.directory(path)
    create(path, mode or "0755", uid, gid)
  end,
  f = function(path, mode, uid, gid, argument)
    file.directory(path:match("^(.*)/"))
    if not linux.exists(path) then file.write(path, argument, mode or "0644") end
    create(path, mode, uid, gid)
  end,
  L = function(path, _, _, _, argument)
    file.directory(path:match("^(.*)/"))
    linux.symlink(argument, path)
  end,
  C = function(path, mode, uid, gid, argument)
    if linux.exists(path) then return end
    command.run { "/bin/busybox", "cp", "-rL", argument, path }
    create(path, mode, uid, gid)
  end,
  w = function(path, _, _, _, argument) file.write(path, argument) end,
  z = function(path, mode, uid, gid)
    if linux.exists(path) then create(path, mode, uid, gid) end
  end,
  r = function(path) linux.unlink(path) end,
  R = function(path) file.remove(path) end,
}
TMPFILES.D, TMPFILES.v, TMPFILES.q, TMPFILES.Q = TMPFILES.d, TMPFILES.d, TMPFILES.d, TMPFILES.d
TMPFILES.e = TMPFILES.z

--- In a task: systemd.tmpfiles.rules; returns the lines of a type that is not known.
function system.tmpfiles(toplevel)
  local unknown = {}
  for _, line in ipairs(lines_of(toplevel .. "/tmpfiles")) do
    local kind, path, mode, user, group, _, argument = line:match("^(%a)[+!=~^-]*%s+(%S+)%s*(%S*)%s*(%S*)%s*(%S*)%s*(%S*)%s*(.-)%s*$")
    local act = kind and TMPFILES[kind]
    if act then
      local function given(text) return text ~= "" and text ~= "-" end
      local uid, gid = ids(given(user) and user or "root", given(group) and group or "root")
      path = path:gsub('^"(.*)"$', "%1")
      if line:match("^%a%S*%+") and (kind == "L" or kind == "f" or kind == "C") then file.remove(path) end
      act(path, given(mode) and tonumber((mode:gsub("^[~:]+", "")), 8) or nil, uid, gid, argument:gsub("\\n", "\n"))
    elseif not line:match("^%s*#") then
      unknown[#unknown + 1] = line
    end
  end
  return unknown
end

--- boot.kernel.sysctl; returns the names that the kernel refused.
function system.sysctl(toplevel)
  local refused = {}
  for _, line in ipairs(lines_of(toplevel .. "/sysctl")) do
    local name, value = line:match("^(%S+)=(.*)$")
    if name and not file.write("/proc/sys/" .. name:gsub("%.", "/"), value) then refused[#refused + 1] = name end
  end
  return refused
end

return system
