# Language and time zone.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
in
{
  options = {
    i18n = {
      defaultLocale = mkOption { type = types.str; default = "C.UTF-8"; description = "LANG. The seed has C and C.UTF-8; programs treat others as C."; };
      extraLocaleSettings = mkOption { type = types.attrsOf types.str; default = { }; description = "LC_* variables."; };
      supportedLocales = mkOption { type = types.listOf types.str; default = [ ]; description = "Without effect."; };
      extraLocales = mkOption { type = types.either (types.listOf types.str) (types.enum [ "all" ]); default = [ ]; description = "Without effect."; };
    };
    time = {
      timeZone = mkOption {
        type = types.nullOr (types.strMatching "[^ ]+");
        default = null;
        example = "Europe/Paris";
        description = "The time zone; null: UTC.";
      };
      hardwareClockInLocalTime = mkOption { type = types.bool; default = false; description = "Without effect."; };
    };
  };
  config = {
    environment.sessionVariables = { LANG = lib.mkDefault config.i18n.defaultLocale; } // config.i18n.extraLocaleSettings;
    environment.etc = lib.mkIf (config.time.timeZone != null && config.time.timeZone != "UTC") {
      localtime.source = "${pkgs.tzdata}/share/zoneinfo/${config.time.timeZone}";
      timezone.text = "${config.time.timeZone}\n";
    };
  };
}
