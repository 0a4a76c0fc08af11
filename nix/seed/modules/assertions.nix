# What modules demand of the whole configuration, and what they want to tell. `evalRole` acts on both.
{ lib, ... }:
{
  options = {
    assertions = lib.mkOption {
      type = lib.types.listOf lib.types.unspecified;
      internal = true;
      default = [ ];
      example = [ { assertion = false; message = "you cannot have this"; } ];
      description = "Conditions that must hold, each with a message for where it does not.";
    };
    warnings = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      internal = true;
      default = [ ];
      example = [ "the foo service is deprecated" ];
      description = "Messages that evaluation shows.";
    };
  };
}
