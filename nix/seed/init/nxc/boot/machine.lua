-- A machine of its own (virtual or real): file systems of the kernel, drivers, and its end. In a container the engine has
-- done this already, and most of it would be refused.
local command = require "nxc.command"
local file = require "nxc.file"
local linux = require "nxc.linux"

local machine = {}

--- Whether a container engine started us.
function machine.is_container(getenv)
  return getenv("container") ~= nil or linux.exists("/.dockerenv") or linux.exists("/run/.containerenv")
end

local QUIET = linux.MS_NOSUID + linux.MS_NODEV + linux.MS_NOEXEC

-- What, where, type, flags, options. The size of a tmpfs is a limit, no reservation.
local MOUNTS = {
  { "proc", "/proc", "proc", QUIET },
  { "sysfs", "/sys", "sysfs", QUIET },
  { "devtmpfs", "/dev", "devtmpfs", linux.MS_NOSUID, "mode=0755" },
  { "devpts", "/dev/pts", "devpts", linux.MS_NOSUID + linux.MS_NOEXEC, "mode=0620,gid=5,ptmxmode=0666" },
  { "tmpfs", "/dev/shm", "tmpfs", linux.MS_NOSUID + linux.MS_NODEV, "mode=1777,size=50%" },
  { "tmpfs", "/run", "tmpfs", linux.MS_NOSUID + linux.MS_NODEV, "mode=0755,size=25%" },
  { "cgroup2", "/sys/fs/cgroup", "cgroup2", QUIET, "nsdelegate" },
}
-- Where programs write, on a root that lives in memory: bounded, so that a full disk is an error and not the end.
local WRITABLE = { ["/tmp"] = "mode=1777,size=50%", ["/var"] = "mode=0755,size=50%", ["/root"] = "mode=0700,size=50%", ["/home"] = "mode=0755,size=50%" }

local function root_type()
  return (file.read("/proc/self/mounts") or ""):match("^%S+ / (%S+)") or (file.read("/proc/self/mounts") or ""):match("\n%S+ / (%S+)")
end

--- Mounts what every machine has.
function machine.mount()
  for _, entry in ipairs(MOUNTS) do
    linux.mkdir(entry[2])
    linux.mount(entry[1], entry[2], entry[3], entry[4], entry[5])
  end
  local kind = root_type()
  if kind == "rootfs" or kind == "ramfs" or kind == "tmpfs" then
    for path, options in pairs(WRITABLE) do
      linux.mkdir(path)
      linux.mount("tmpfs", path, "tmpfs", linux.MS_NOSUID + linux.MS_NODEV, options)
    end
  end
  for link, target in pairs { ["/dev/fd"] = "/proc/self/fd", ["/dev/stdin"] = "fd/0", ["/dev/stdout"] = "fd/1", ["/dev/stderr"] = "fd/2" } do
    linux.symlink(target, link)
  end
end

--- The directories that programs take for granted.
function machine.directories()
  for path, mode in pairs { ["/tmp"] = "1777", ["/var/tmp"] = "1777", ["/var/log/journal"] = "0755", ["/var/lib"] = "0755", ["/var/cache"] = "0755",
    ["/var/empty"] = "0555", ["/var/spool"] = "0755", ["/run/lock"] = "1777", ["/etc"] = "0755", ["/root"] = "0700", ["/home"] = "0755", ["/mnt"] = "0755",
    ["/usr/lib"] = "0755", ["/bin"] = "0755" } do
    file.directory(path)
    linux.chmod(path, mode)
  end
  file.link("/run", "/var/run")
  file.link("/run/lock", "/var/lock")
end

--- In a task: loads drivers for what the machine has, and the modules named. The names that failed are in the text.
function machine.load_modules(names)
  local aliases, seen = {}, {}
  for _, bus in ipairs(linux.list("/sys/bus")) do
    for _, device in ipairs(linux.list("/sys/bus/" .. bus .. "/devices")) do
      local alias = (file.read("/sys/bus/" .. bus .. "/devices/" .. device .. "/modalias") or ""):match("%S+")
      if alias and not seen[alias] then
        seen[alias] = true
        aliases[#aliases + 1] = alias
      end
    end
  end
  if #aliases > 0 then command.run { "/bin/busybox", "modprobe", "-q", "-a", "-b", unpack(aliases) } end
  local missing = {}
  for _, name in ipairs(names) do
    if command.run { "/bin/busybox", "modprobe", name } ~= 0 then missing[#missing + 1] = name end
  end
  return missing
end

--- In a task: what is still mounted from elsewhere or on a disk goes, so that nothing is lost.
local function unmount_all()
  local list = {}
  for path, kind in (file.read("/proc/self/mounts") or ""):gmatch("%S+ (%S+) (%S+)[^\n]*\n") do
    if kind:match("^nfs") or kind == "ext4" or kind == "xfs" or kind == "vfat" then table.insert(list, 1, path) end
  end
  for _, path in ipairs(list) do
    if linux.unmount(path) == nil then linux.mount(nil, path, nil, linux.MS_REMOUNT + linux.MS_RDONLY) end
  end
end

--- The end, when no service runs any more: "poweroff", "reboot" or "halt".
function machine.finish(how, container)
  if container then os.exit(0) end
  unmount_all()
  linux.sync()
  linux.reboot(how)
end

return machine
