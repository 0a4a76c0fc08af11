-- Command lines with long and short options.
local client = require "nxc.cli.client"

--- `known`: option → "flag", "value" (it takes one) or "optional" (a value only after "="); short options (`-u`) map to a
--- long one's name. Returns options (a list where given more than once with values) and the other arguments. Ends the
--- program where an option is not known.
return function(program, given, known)
  local options, rest, index = {}, {}, 1
  local function add(name, value)
    if known[name] == "flag" then options[name] = true return end
    options[name] = options[name] or {}
    table.insert(options[name], value)
  end
  local function following(name)
    index = index + 1
    return given[index] or client.fail(1, "%s: option '%s' requires an argument", program, name)
  end
  while index <= #given do
    local word = given[index]
    if word == "--" then
      for further = index + 1, #given do rest[#rest + 1] = given[further] end
      break
    elseif word:match("^%-%-") then
      local name, value = word:match("^(%-%-[^=]+)=(.*)$")
      name = name or word
      local kind = known[name] or client.fail(1, "%s: unrecognized option '%s'", program, name)
      if kind == "value" then value = value or following(name) end
      add(name, value or "")
    elseif word:match("^%-.") then
      local at = 2
      while at <= #word do
        local letter = "-" .. word:sub(at, at)
        local name = known[letter] or client.fail(1, "%s: invalid option -- '%s'", program, letter:sub(2))
        at = at + 1
        if known[name] == "value" then
          local value = word:sub(at)
          add(name, value ~= "" and value or following(letter))
          break
        end
        add(name, "")
      end
    else
      rest[#rest + 1] = word
    end
    index = index + 1
  end
  return options, rest
end
