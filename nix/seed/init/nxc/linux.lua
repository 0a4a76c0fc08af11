-- The kernel and the C library, as far as PID 1 needs them. Every call returns its value, or nil and the error's text
-- and number; nothing here decides anything.
local ffi = require "ffi"
local bit = require "bit"
local C = ffi.C

ffi.cdef [[
typedef int pid_t; typedef unsigned int uid_t, gid_t, mode_t, socklen_t; typedef long ssize_t; typedef unsigned long nfds_t;
struct timespec { long tv_sec, tv_nsec; };
struct pollfd { int fd; short events, revents; };
struct rlimit { unsigned long rlim_cur, rlim_max; };
struct passwd { char *pw_name, *pw_passwd; uid_t pw_uid; gid_t pw_gid; char *pw_gecos, *pw_dir, *pw_shell; };
struct group { char *gr_name, *gr_passwd; gid_t gr_gid; char **gr_mem; };
struct sockaddr_un { unsigned short sun_family; char sun_path[108]; };
struct ucred { pid_t pid; uid_t uid; gid_t gid; };
struct dirent { unsigned long d_ino; long d_off; unsigned short d_reclen; unsigned char d_type; char d_name[256]; };
typedef struct { unsigned long bits[16]; } sigset_t;
char *strerror(int);
pid_t fork(void); pid_t getpid(void); pid_t waitpid(pid_t, int *, int); int kill(pid_t, int); pid_t setsid(void);
int execve(const char *, char *const *, char *const *); void _exit(int);
int pipe2(int *, int); int dup2(int, int); int open(const char *, int, ...); int close(int); int fcntl(int, int, ...);
ssize_t read(int, void *, size_t); ssize_t write(int, const void *, size_t); int ioctl(int, unsigned long, ...);
int poll(struct pollfd *, nfds_t, int); int signalfd(int, const sigset_t *, int);
int sigemptyset(sigset_t *); int sigfillset(sigset_t *); int sigaddset(sigset_t *, int); int sigprocmask(int, const sigset_t *, sigset_t *);
int clock_gettime(int, struct timespec *);
int mount(const char *, const char *, const char *, unsigned long, const void *); int umount2(const char *, int);
int reboot(int); void sync(void); int sethostname(const char *, size_t);
int mkdir(const char *, mode_t); int chmod(const char *, mode_t); int chown(const char *, uid_t, gid_t); int lchown(const char *, uid_t, gid_t);
int unlink(const char *); int rmdir(const char *); int rename(const char *, const char *); int symlink(const char *, const char *);
ssize_t readlink(const char *, char *, size_t); int access(const char *, int); int chdir(const char *); mode_t umask(mode_t);
char *realpath(const char *, char *); void free(void *);
void *opendir(const char *); struct dirent *readdir(void *); int closedir(void *);
int setuid(uid_t); int setgid(gid_t); int initgroups(const char *, gid_t); int setgroups(size_t, const gid_t *); uid_t getuid(void);
struct passwd *getpwnam(const char *); struct group *getgrnam(const char *); void endpwent(void);
int setrlimit(int, const struct rlimit *); int getrlimit(int, struct rlimit *); int setpriority(int, int, int); int prctl(int, ...);
int socket(int, int, int); int bind(int, const void *, socklen_t); int listen(int, int); int connect(int, const void *, socklen_t);
int accept4(int, void *, socklen_t *, int); int getsockopt(int, int, int, void *, socklen_t *); ssize_t send(int, const void *, size_t, int);
]]

local linux = {
  SIGHUP = 1, SIGINT = 2, SIGKILL = 9, SIGUSR1 = 10, SIGUSR2 = 12, SIGTERM = 15, SIGCHLD = 17, SIGCONT = 18, SIGPWR = 30,
  SIGRTMIN = 34,
  POLLIN = 1, POLLOUT = 4, POLLERR = 8, POLLHUP = 16,
  O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2, O_CREAT = 64, O_TRUNC = 512, O_APPEND = 1024, O_NONBLOCK = 2048,
  O_NOCTTY = 256, O_CLOEXEC = 0x80000,
  EPERM = 1, EINTR = 4, EAGAIN = 11, EEXIST = 17, ENOENT = 2, ECHILD = 10,
  MS_RDONLY = 1, MS_NOSUID = 2, MS_NODEV = 4, MS_NOEXEC = 8, MS_REMOUNT = 32,
}

local NAMES = {
  [1] = "HUP", [2] = "INT", [3] = "QUIT", [4] = "ILL", [5] = "TRAP", [6] = "ABRT", [7] = "BUS", [8] = "FPE", [9] = "KILL",
  [10] = "USR1", [11] = "SEGV", [12] = "USR2", [13] = "PIPE", [14] = "ALRM", [15] = "TERM", [17] = "CHLD", [18] = "CONT",
  [19] = "STOP", [20] = "TSTP", [21] = "TTIN", [22] = "TTOU", [24] = "XCPU", [25] = "XFSZ", [28] = "WINCH", [30] = "PWR",
  [31] = "SYS",
}
local NUMBERS = {}
for number, name in pairs(NAMES) do NUMBERS[name] = number end

--- "TERM" of 15; "34" of one without a name.
function linux.signal_name(number) return NAMES[number] or tostring(number) end

--- 15 of "SIGTERM", "TERM" or "15"; nil of anything else.
function linux.signal_number(name)
  return NUMBERS[(name:gsub("^SIG", ""))] or tonumber(name)
end

local function failed()
  local errno = ffi.errno()
  return nil, ffi.string(C.strerror(errno)), errno
end

local function checked(value)
  if value < 0 then return failed() end
  return value
end

-- Time ------------------------------------------------------------------------------------------------------------

local clock = ffi.new("struct timespec")
local function clock_seconds(id)
  C.clock_gettime(id, clock)
  return tonumber(clock.tv_sec) + tonumber(clock.tv_nsec) / 1e9
end

--- Seconds since boot, never set back.
function linux.monotonic() return clock_seconds(1) end
--- Seconds since 1970.
function linux.now() return clock_seconds(0) end

--- A file's mode: a number, or octal text such as "0755".
local function octal(mode) return type(mode) == "string" and tonumber(mode, 8) or mode end

-- Files -----------------------------------------------------------------------------------------------------------

function linux.open(path, flags, mode) return checked(C.open(path, bit.bor(flags, linux.O_CLOEXEC), ffi.cast("int", octal(mode) or 0))) end
function linux.close(fd) C.close(fd) end
function linux.dup2(from, to) return checked(C.dup2(from, to)) end
function linux.write(fd, text) return checked(tonumber(C.write(fd, text, #text))) end

local chunk = ffi.new("char[?]", 65536)
--- At most 64 KiB; "" at the end of the file.
function linux.read(fd)
  local got = tonumber(C.read(fd, chunk, 65536))
  if got < 0 then return failed() end
  return ffi.string(chunk, got)
end

--- Both ends, closed on exec; the reading one does not block.
function linux.pipe()
  local ends = ffi.new("int[2]")
  if C.pipe2(ends, linux.O_CLOEXEC) < 0 then return failed() end
  C.fcntl(ends[0], 4, ffi.cast("int", linux.O_NONBLOCK))
  return ends[0], ends[1]
end

--- Takes O_NONBLOCK from a descriptor.
function linux.blocking(fd) C.fcntl(fd, 4, ffi.cast("int", 0)) end

function linux.mkdir(path, mode) return checked(C.mkdir(path, octal(mode or "0755"))) end
function linux.chmod(path, mode) return checked(C.chmod(path, octal(mode))) end
function linux.chown(path, uid, gid) return checked(C.lchown(path, uid, gid)) end
function linux.unlink(path) return checked(C.unlink(path)) end
function linux.rmdir(path) return checked(C.rmdir(path)) end
function linux.rename(from, to) return checked(C.rename(from, to)) end
function linux.symlink(target, path) return checked(C.symlink(target, path)) end
function linux.exists(path) return C.access(path, 0) == 0 end
function linux.executable(path) return C.access(path, 1) == 0 end
function linux.writable(path) return C.access(path, 2) == 0 end
function linux.chdir(path) return checked(C.chdir(path)) end
function linux.umask(mask) return C.umask(mask) end

function linux.readlink(path)
  local got = tonumber(C.readlink(path, chunk, 65536))
  if got < 0 then return failed() end
  return ffi.string(chunk, got)
end

function linux.realpath(path)
  local found = C.realpath(path, nil)
  if found == nil then return failed() end
  local text = ffi.string(found)
  C.free(found)
  return text
end

--- Names in a directory, sorted; an empty list where there is none.
function linux.list(path)
  local names, directory = {}, C.opendir(path)
  if directory == nil then return names end
  while true do
    local entry = C.readdir(directory)
    if entry == nil then break end
    local name = ffi.string(entry.d_name)
    if name ~= "." and name ~= ".." then names[#names + 1] = name end
  end
  C.closedir(directory)
  table.sort(names)
  return names
end

-- Processes -------------------------------------------------------------------------------------------------------

function linux.getpid() return C.getpid() end
function linux.getuid() return C.getuid() end
function linux.fork() return checked(C.fork()) end
function linux.kill(pid, signal) return checked(C.kill(pid, signal)) end
function linux.setsid() return checked(C.setsid()) end
function linux.exit(code) C._exit(code) end

--- Replaces this process. `environment` holds "NAME=value" strings. Returns only on error.
function linux.exec(path, arguments, environment)
  local function vector(list)
    local made = ffi.new("const char *[?]", #list + 1)
    for index, text in ipairs(list) do made[index - 1] = text end
    return made
  end
  local argv, envp = vector(arguments), vector(environment)
  C.execve(path, ffi.cast("char *const *", argv), ffi.cast("char *const *", envp))
  return failed()
end

local status = ffi.new("int[1]")
--- The next dead child: pid, "exited" or "killed", exit code or signal. Nothing where none is dead.
function linux.reap()
  local pid = C.waitpid(-1, status, 1)
  if pid <= 0 then return nil end
  local word = status[0]
  local signal = bit.band(word, 127)
  if signal == 0 then return pid, "exited", bit.band(bit.rshift(word, 8), 255) end
  return pid, "killed", signal
end

--- Orphans below this process become its children, as they do below PID 1.
function linux.become_subreaper() return checked(C.prctl(36, ffi.cast("unsigned long", 1), 0ULL, 0ULL, 0ULL)) end

--- { uid, gid, home, shell, name } of a user's name or number, or nil.
function linux.user(name)
  local entry = C.getpwnam(name)
  if entry == nil then return nil end
  return { name = name, uid = entry.pw_uid, gid = entry.pw_gid, home = ffi.string(entry.pw_dir), shell = ffi.string(entry.pw_shell) }
end

--- The number of a group's name (or of its number in text), or nil.
function linux.group(name)
  local entry = C.getgrnam(name)
  if entry ~= nil then return entry.gr_gid end
  return tonumber(name)
end

--- Gives up root: the user's groups and `extra` ones, gid, uid, in this order.
function linux.become(user, gid, extra)
  local groups = { gid }
  for _, number in ipairs(extra) do groups[#groups + 1] = number end
  if #extra > 0 then
    local list = ffi.new("gid_t[?]", #groups)
    for index, number in ipairs(groups) do list[index - 1] = number end
    if C.setgroups(#groups, list) < 0 then return failed() end
  elseif C.initgroups(user.name, gid) < 0 then
    return failed()
  end
  if C.setgid(gid) < 0 or C.setuid(user.uid) < 0 then return failed() end
  return true
end

local LIMITS = {
  CPU = 0, FSIZE = 1, DATA = 2, STACK = 3, CORE = 4, RSS = 5, NPROC = 6, NOFILE = 7, MEMLOCK = 8, AS = 9, LOCKS = 10,
  SIGPENDING = 11, MSGQUEUE = 12, NICE = 13, RTPRIO = 14, RTTIME = 15,
}
--- `value` is systemd's: "65536", "1024:65536", "infinity". Where nobody may raise limits, as in a container, the
--- nearest that is allowed, as with systemd (setrlimit_closest).
function linux.limit(name, value)
  local function number(text) return text == "infinity" and 0xffffffffffffffffULL or ffi.cast("unsigned long", tonumber(text) or 0) end
  local soft, hard = value:match("^(.-):(.+)$")
  local limit, present = ffi.new("struct rlimit", number(soft or value), number(hard or value)), ffi.new("struct rlimit")
  local resource = LIMITS[name]
  if not resource then return nil end
  local done, why, errno = checked(C.setrlimit(resource, limit))
  if done or errno ~= linux.EPERM then return done, why end
  if C.getrlimit(resource, present) < 0 then return failed() end
  local function lower(one, other) return one < other and one or other end
  local most = present.rlim_max
  present.rlim_cur, present.rlim_max = lower(limit.rlim_cur, most), lower(limit.rlim_max, most)
  return checked(C.setrlimit(resource, present))
end

function linux.nice(level) return checked(C.setpriority(0, 0, level)) end

-- Signals ---------------------------------------------------------------------------------------------------------

local every = ffi.new("sigset_t")
C.sigfillset(every)
local none = ffi.new("sigset_t")
C.sigemptyset(none)

--- Blocks all signals and returns a descriptor on which they are read (signalfd(2)).
function linux.signals()
  C.sigprocmask(2, every, nil)
  return checked(C.signalfd(-1, every, bit.bor(linux.O_NONBLOCK, linux.O_CLOEXEC)))
end

--- The next signal that is waiting there, or nil.
function linux.next_signal(fd)
  local got = tonumber(C.read(fd, chunk, 128))
  if got ~= 128 then return nil end
  return ffi.cast("unsigned int *", chunk)[0]
end

function linux.unblock_signals() C.sigprocmask(2, none, nil) end

-- Waiting ---------------------------------------------------------------------------------------------------------

--- `watched`: a list of { fd = …, events = … }; sets `ready` of each. `timeout`: seconds, nil for ever.
function linux.poll(watched, timeout)
  local set = ffi.new("struct pollfd[?]", math.max(#watched, 1))
  for index, watch in ipairs(watched) do
    set[index - 1].fd = watch.fd
    set[index - 1].events = watch.events
  end
  local milliseconds = timeout and math.max(0, math.min(math.ceil(timeout * 1000), 2 ^ 30)) or -1
  local count = C.poll(set, #watched, milliseconds)
  for index, watch in ipairs(watched) do watch.ready = count > 0 and set[index - 1].revents or 0 end
  return count
end

-- Sockets ---------------------------------------------------------------------------------------------------------

linux.SOCK_STREAM, linux.SOCK_DGRAM = 1, 2

local function address(path)
  local made = ffi.new("struct sockaddr_un")
  made.sun_family = 1
  ffi.copy(made.sun_path, path)
  return made, 2 + #path + 1
end

--- A socket that does not block, bound at `path` (which is replaced) with the given mode.
function linux.listen(path, kind, mode)
  C.unlink(path)
  local fd = C.socket(1, bit.bor(kind, linux.O_NONBLOCK, linux.O_CLOEXEC), 0)
  if fd < 0 then return failed() end
  if C.bind(fd, address(path)) < 0 or C.chmod(path, octal(mode)) < 0 then return failed() end
  if kind == linux.SOCK_STREAM and C.listen(fd, 64) < 0 then return failed() end
  return fd
end

function linux.connect(path, kind)
  local fd = C.socket(1, bit.bor(kind, linux.O_CLOEXEC), 0)
  if fd < 0 then return failed() end
  if C.connect(fd, address(path)) < 0 then return failed() end
  return fd
end

--- A new connection that does not block, and its peer's user number.
function linux.accept(fd)
  local peer = C.accept4(fd, nil, nil, bit.bor(linux.O_NONBLOCK, linux.O_CLOEXEC))
  if peer < 0 then return failed() end
  local credentials, size = ffi.new("struct ucred"), ffi.new("socklen_t[1]", ffi.sizeof("struct ucred"))
  C.getsockopt(peer, 1, 17, credentials, size)
  return peer, credentials.uid
end

--- As write, but an error instead of SIGPIPE where nobody reads.
function linux.send(fd, text) return checked(tonumber(C.send(fd, text, #text, 0x4000))) end

-- The machine -----------------------------------------------------------------------------------------------------

function linux.mount(source, target, kind, flags, options) return checked(C.mount(source, target, kind, flags or 0, options)) end
--- Detaches at once even where files are open.
function linux.unmount(target) return checked(C.umount2(target, 2)) end
function linux.sethostname(name) return checked(C.sethostname(name, #name)) end
function linux.sync() C.sync() end

--- "poweroff", "reboot" or "halt"; returns only on error.
function linux.reboot(how)
  local commands = { poweroff = 0x4321fedc, reboot = 0x01234567, halt = 0xcdef0123 }
  return checked(C.reboot(ffi.cast("int", ffi.cast("unsigned int", commands[how]))))
end

--- Ctrl-Alt-Delete sends SIGINT to PID 1 instead of resetting the machine.
function linux.catch_ctrl_alt_del() return checked(C.reboot(0)) end

--- Makes `fd` the controlling terminal of this session.
function linux.control_terminal(fd) return checked(C.ioctl(fd, 0x540E, ffi.cast("int", 1))) end

return linux
