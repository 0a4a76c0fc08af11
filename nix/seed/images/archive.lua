-- Writes files as a cpio archive (format "newc", as Linux unpacks an initrd) to standard output. Standard input: a line
-- for each tree, its name in the archive, a tab, its place. Only what Nix keeps of a file goes in, as in a NAR: names,
-- kinds, contents, whether a file is executable. So the archive does not depend on the store that the files come from:
-- no times, owners, inode numbers or hard links.
local ffi = require "ffi"
ffi.cdef [[
struct dirent { unsigned long d_ino; long d_off; unsigned short d_reclen; unsigned char d_type; char d_name[256]; };
void *opendir(const char *); struct dirent *readdir(void *); int closedir(void *);
long readlink(const char *, char *, size_t); int access(const char *, int);
]]

local DIRECTORY, FILE, LINK = "directory", "file", "link"
local MODES = { [DIRECTORY] = 0x416d, [FILE] = 0x8124, executable = 0x816d, [LINK] = 0xa1ff } -- 040555 0100444 0100555 0120777
local TIME = 1 -- as in the store

local buffer = ffi.new("char[4096]")

local function link_target(path)
  local length = ffi.C.readlink(path, buffer, 4096)
  return length >= 0 and ffi.string(buffer, length) or nil
end

--- Names in a directory, sorted; nil where it is none.
local function names_in(path)
  local directory = ffi.C.opendir(path)
  if directory == nil then return nil end
  local names = {}
  while true do
    local entry = ffi.C.readdir(directory)
    if entry == nil then break end
    local name = ffi.string(entry.d_name)
    if name ~= "." and name ~= ".." then names[#names + 1] = name end
  end
  ffi.C.closedir(directory)
  table.sort(names)
  return names
end

local function pad(length) return ("\0"):rep(-length % 4) end

local inode = 0
local function put(name, mode, links, content)
  inode = inode + 1
  local header = ("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x"):format(
    inode, mode, 0, 0, links, TIME, #content, 0, 0, 0, 0, #name + 1, 0)
  io.write(header, name, "\0", pad(#header + #name + 1), content, pad(#content))
end

local function put_tree(name, path)
  local target = link_target(path)
  if target then return put(name, MODES[LINK], 1, target) end
  local names = names_in(path)
  if names then
    put(name, MODES[DIRECTORY], 2, "")
    for _, child in ipairs(names) do put_tree(name .. "/" .. child, path .. "/" .. child) end
    return
  end
  local file = assert(io.open(path, "rb"))
  put(name, ffi.C.access(path, 1) == 0 and MODES.executable or MODES[FILE], 1, file:read("*a"))
  file:close()
end

local made = {}
--- The directories above a name: the kernel does not make them.
local function put_parents(name)
  local parent = name:match("^(.*)/[^/]*$")
  if not parent or made[parent] then return end
  put_parents(parent)
  made[parent] = true
  put(parent, MODES[DIRECTORY], 2, "")
end

local trees = {}
for line in io.lines() do trees[#trees + 1] = { line:match("^([^\t]+)\t(.+)$") } end
table.sort(trees, function(one, other) return one[1] < other[1] end)
for _, tree in ipairs(trees) do
  put_parents(tree[1])
  put_tree(tree[1], tree[2])
end
put("TRAILER!!!", 0, 1, "")
