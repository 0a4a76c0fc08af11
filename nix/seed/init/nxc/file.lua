-- Whole files and directories: what a boot reads and writes.
local linux = require "nxc.linux"

local file = {}

--- The content, or nil where it cannot be read.
function file.read(path)
  local handle = io.open(path, "r")
  if not handle then return nil end
  local text = handle:read("*a")
  handle:close()
  return text
end

--- Writes all of it, with `mode` from the first moment; true, or nil and the error.
function file.write(path, text, mode)
  local fd, why = linux.open(path, linux.O_WRONLY + linux.O_CREAT + linux.O_TRUNC, mode or "0644")
  if not fd then return nil, path .. ": " .. why end
  local rest = text
  while #rest > 0 do
    local written, problem = linux.write(fd, rest)
    if not written then
      linux.close(fd)
      return nil, path .. ": " .. problem
    end
    rest = rest:sub(written + 1)
  end
  linux.close(fd)
  return true
end

--- Writes beside it and renames, so that a reader sees the old content or the new one.
function file.replace(path, text, mode)
  local beside = path .. ".new"
  local done, why = file.write(beside, text, mode)
  if not done then return nil, why end
  linux.chmod(beside, mode or "0644")
  return linux.rename(beside, path)
end

--- The directory with all its parents.
function file.directory(path, mode)
  if path == "" or path == "/" or linux.exists(path) then return true end
  file.directory(path:match("^(.*)/[^/]*$") or "", "0755")
  return linux.mkdir(path, mode or "0755")
end

--- A symbolic link that replaces whatever link or file was there.
function file.link(target, path)
  linux.unlink(path)
  return linux.symlink(target, path)
end

--- Files and directories below (and with) `path`, gone; links are not followed.
function file.remove(path)
  if not linux.unlink(path) then
    for _, name in ipairs(linux.list(path)) do file.remove(path .. "/" .. name) end
    linux.rmdir(path)
  end
end

return file
