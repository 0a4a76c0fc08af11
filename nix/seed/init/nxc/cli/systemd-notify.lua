-- systemd-notify: tells PID 1 the state of a service of Type=notify.
local client = require "nxc.cli.client"
local linux = require "nxc.linux"

return function(given)
  local lines = {}
  for _, word in ipairs(given) do
    if word == "--ready" then
      lines[#lines + 1] = "READY=1"
    elseif word == "--booted" then
      client.exit(0)
    elseif word:match("^%-%-status=") then
      lines[#lines + 1] = "STATUS=" .. word:sub(10)
    elseif word:match("^%-%-pid=%d+$") then
      lines[#lines + 1] = "MAINPID=" .. word:sub(7)
    elseif word:match("^%u[%u_]*=") then
      lines[#lines + 1] = word
    elseif word ~= "--no-block" then
      client.fail(1, "systemd-notify: unrecognized option '%s'", word)
    end
  end
  local path = os.getenv("NOTIFY_SOCKET")
  if not path then client.fail(1, "No status data could be sent: $NOTIFY_SOCKET was not set") end
  local fd, why = linux.connect(path, linux.SOCK_DGRAM)
  if not fd then client.fail(1, "Failed to notify init system: %s", why) end
  linux.write(fd, table.concat(lines, "\n"))
end
