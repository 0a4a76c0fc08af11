-- What the kernel's command line (in a container: the environment) says about this node.
local parameters = {}

--- The last value of each `name=value` word, "" of a bare word.
function parameters.parse(line)
  local found = {}
  for word in line:gmatch("%S+") do
    local name, value = word:match("^([^=]+)=(.*)$")
    found[name or word] = value or ""
  end
  return found
end

--- NXC_INFO, NXC_URL, NXC_SHA256, NXC_ROLE and NXC_STANDALONE of the environment, under the parameters' names.
function parameters.of_environment(getenv)
  local found = {}
  for _, name in ipairs { "info", "url", "sha256", "role", "standalone" } do found["nxc." .. name] = getenv("NXC_" .. name:upper()) end
  return found
end

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
local VALUE = {}
for index = 1, #ALPHABET do VALUE[ALPHABET:byte(index)] = index - 1 end

--- The bytes that base64url (RFC 4648, no padding) stands for; nil where it is none.
function parameters.base64url(text)
  local bytes, bits, count = {}, 0, 0
  for index = 1, #text do
    local value = VALUE[text:byte(index)]
    if not value then return nil end
    bits, count = bits * 64 + value, count + 6
    if count >= 8 then
      count = count - 8
      bytes[#bytes + 1] = string.char(math.floor(bits / 2 ^ count))
      bits = bits % 2 ^ count
    end
  end
  if #text % 4 == 1 or bits ~= 0 then return nil end
  return table.concat(bytes)
end

return parameters
