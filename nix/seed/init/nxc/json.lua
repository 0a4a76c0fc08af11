-- JSON (RFC 8259) in and out. Objects and arrays become tables; `json.null` stands for null; an array carries the
-- metatable `json.array`, so that an empty one stays one.
local json = { null = setmetatable({}, { __tostring = function() return "null" end }), array = {} }

--- Marks a list as an array.
function json.list(items) return setmetatable(items, json.array) end

local DEPTH = 64
local ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }

local function utf8(code)
  if code < 0x80 then return string.char(code) end
  local function tail(shift) return string.char(0x80 + math.floor(code / 64 ^ shift) % 64) end
  if code < 0x800 then return string.char(0xC0 + math.floor(code / 64)) .. tail(0) end
  if code < 0x10000 then return string.char(0xE0 + math.floor(code / 64 ^ 2)) .. tail(1) .. tail(0) end
  return string.char(0xF0 + math.floor(code / 64 ^ 3)) .. tail(2) .. tail(1) .. tail(0)
end

local function fail(position, text) error({ json = ("%s at byte %d"):format(text, position) }) end

local function skip(text, at) return text:find("[^ \t\r\n]", at) or #text + 1 end

local function unicode(text, at)
  local code = tonumber(text:match("^%x%x%x%x", at) or fail(at, "a \\u escape without four hexadecimal digits"), 16)
  return code, at + 4
end

local function string_at(text, at)
  local parts, from = {}, at + 1
  while true do
    local stop = text:find('[%c"\\]', from) or fail(at, "a string without an end")
    parts[#parts + 1] = text:sub(from, stop - 1)
    local found = text:sub(stop, stop)
    if found == '"' then return table.concat(parts), stop + 1 end
    if found ~= "\\" then
      if found:byte() ~= 127 then fail(stop, "a control character in a string") end
      parts[#parts + 1], from = found, stop + 1
    elseif text:sub(stop + 1, stop + 1) == "u" then
      local code
      code, from = unicode(text, stop + 2)
      if code >= 0xD800 and code < 0xDC00 and text:sub(from, from + 1) == "\\u" then
        local low, after = unicode(text, from + 2)
        if low >= 0xDC00 and low < 0xE000 then code, from = 0x10000 + (code - 0xD800) * 0x400 + low - 0xDC00, after end
      end
      if code >= 0xD800 and code < 0xE000 then code = 0xFFFD end
      parts[#parts + 1] = utf8(code)
    else
      parts[#parts + 1] = ESCAPES[text:sub(stop + 1, stop + 1)] or fail(stop, "an unknown escape")
      from = stop + 2
    end
  end
end

local value_at

local function array_at(text, at, depth)
  local items = json.list {}
  at = skip(text, at + 1)
  if text:sub(at, at) == "]" then return items, at + 1 end
  while true do
    items[#items + 1], at = value_at(text, at, depth)
    at = skip(text, at)
    local found = text:sub(at, at)
    if found == "]" then return items, at + 1 end
    if found ~= "," then fail(at, "neither , nor ] in an array") end
    at = skip(text, at + 1)
  end
end

local function object_at(text, at, depth)
  local made = {}
  at = skip(text, at + 1)
  if text:sub(at, at) == "}" then return made, at + 1 end
  while true do
    if text:sub(at, at) ~= '"' then fail(at, "a key that is no string") end
    local key
    key, at = string_at(text, at)
    at = skip(text, at)
    if text:sub(at, at) ~= ":" then fail(at, "no : after a key") end
    made[key], at = value_at(text, skip(text, at + 1), depth)
    at = skip(text, at)
    local found = text:sub(at, at)
    if found == "}" then return made, at + 1 end
    if found ~= "," then fail(at, "neither , nor } in an object") end
    at = skip(text, at + 1)
  end
end

function value_at(text, at, depth)
  if depth > DEPTH then fail(at, "nested too deeply") end
  local first = text:sub(at, at)
  if first == '"' then return string_at(text, at) end
  if first == "{" then return object_at(text, at, depth + 1) end
  if first == "[" then return array_at(text, at, depth + 1) end
  for word, value in pairs { ["true"] = true, ["false"] = false, null = json.null } do
    if text:sub(at, at + #word - 1) == word then return value, at + #word end
  end
  local number = text:match("^-?%d+%.?%d*[eE]?[-+]?%d*", at)
  if not number or not tonumber(number) then fail(at, "no value") end
  return tonumber(number), at + #number
end

--- The value that `text` says; nil and what is wrong with it.
function json.decode(text)
  local fine, value, at = pcall(value_at, text, skip(text, 1), 0)
  if not fine then
    if type(value) == "table" and value.json then return nil, value.json end
    error(value, 0)
  end
  if skip(text, at) <= #text then return nil, ("something after the value at byte %d"):format(at) end
  return value
end

local function quoted(text)
  return '"' .. text:gsub('[%c"\\]', function(found) return ("\\u%04x"):format(found:byte()) end) .. '"'
end

--- The text of a value; the keys of objects are sorted.
function json.encode(value)
  if value == json.null then return "null" end
  local kind = type(value)
  if kind == "string" then return quoted(value) end
  if kind == "boolean" then return tostring(value) end
  if kind == "number" then return value % 1 == 0 and ("%.0f"):format(value) or ("%.14g"):format(value) end
  local parts = {}
  if getmetatable(value) == json.array then
    for _, item in ipairs(value) do parts[#parts + 1] = json.encode(item) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for key, item in pairs(value) do parts[#parts + 1] = quoted(key) .. ":" .. json.encode(item) end
  table.sort(parts)
  return "{" .. table.concat(parts, ",") .. "}"
end

return json
