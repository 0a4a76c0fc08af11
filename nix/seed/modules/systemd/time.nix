# systemd.time(7): spans such as "1min 30s", "500ms", "infinity" or 5 (seconds), in milliseconds; null
# is infinity.
lib: what: span:
let
  units = {
    "" = 1000; us = 0; usec = 0; ms = 1; msec = 1; s = 1000; sec = 1000; second = 1000; seconds = 1000;
    m = 60000; min = 60000; minute = 60000; minutes = 60000; h = 3600000; hr = 3600000; hour = 3600000;
    hours = 3600000; d = 86400000; day = 86400000; days = 86400000; w = 604800000; week = 604800000; weeks = 604800000;
  };
  text = toString span;
  wrong = throw "nxc: ${what} is no span of time: ${builtins.toJSON text}; write 90, \"90s\", \"1min 30s\", \"500ms\" or \"infinity\"";
  term = t:
    let found = builtins.match "([0-9]+)([.]([0-9]{1,3})[0-9]*)?[ ]*([a-z]*)" t; in
    if found == null || !units ? ${lib.elemAt found 3} then wrong
    else
      let
        unit = units.${lib.elemAt found 3};
        fraction = lib.elemAt found 2;
        whole = lib.toIntBase10 (lib.head found) * unit;
      in
      if fraction == null then whole
      else whole + lib.toIntBase10 (lib.substring 0 3 (fraction + "00")) * unit / 1000;
  terms = lib.filter (t: builtins.isString t && t != "") (lib.concatMap (x: if builtins.isList x then x else [ x ])
    (builtins.split "([0-9.]+ *[a-z]*)" (lib.replaceStrings [ " " ] [ "" ] text)));
in
if text == "infinity" then null
else if terms == [ ] then wrong
else lib.foldl' (sum: t: sum + term t) 0 terms
