# The types of nginx's virtual hosts, their locations, and upstreams.
lib:
let
  inherit (lib) mkOption types;
  text = description: mkOption { type = types.lines; default = ""; inherit description; };
  orNull = type: description: mkOption { type = types.nullOr type; default = null; inherit description; };
  flag = description: mkOption { type = types.bool; default = false; inherit description; };

  location = types.submodule {
    options = {
      proxyPass = orNull types.str "The server that requests are handed on to.";
      proxyWebsockets = flag "Whether it hands on WebSockets.";
      index = orNull types.str "The file for a directory.";
      tryFiles = orNull types.str "Files that are looked for in turn.";
      root = orNull types.path "The directory of files.";
      alias = orNull types.path "The directory in the location's place.";
      return = orNull (types.oneOf [ types.str types.int ]) "A code, address or text to answer with.";
      fastcgiParams = mkOption { type = types.attrsOf (types.either types.str types.path); default = { }; description = "FastCGI parameters."; };
      extraConfig = text "Further lines.";
      priority = mkOption { type = types.int; default = 1000; description = "Locations stand in ascending order of it."; };
      recommendedProxySettings = orNull types.bool "Whether usual proxy headers are set; null: as for all.";
      basicAuth = mkOption { type = types.attrsOf types.str; default = { }; internal = true; description = "Without effect: use basicAuthFile."; };
    };
  };
  listen = types.submodule {
    options = {
      addr = mkOption { type = types.str; default = "0.0.0.0"; description = "The address."; };
      port = orNull types.port "The port; null: the usual one.";
      ssl = flag "Whether it is HTTPS.";
      proxyProtocol = flag "Without effect.";
      extraParameters = mkOption { type = types.listOf types.str; default = [ ]; description = "Further words of `listen`."; };
    };
  };
in
{
  virtualHost = types.submodule {
    options = {
      serverName = orNull types.str "The name; null: the attribute's.";
      serverAliases = mkOption { type = types.listOf types.str; default = [ ]; description = "Further names."; };
      listen = mkOption { type = types.listOf listen; default = [ ]; description = "Addresses and ports; empty: the usual ones."; };
      listenAddresses = mkOption { type = types.listOf types.str; default = [ ]; description = "Addresses; empty: the usual ones."; };
      default = flag "Whether it answers for unknown names.";
      root = orNull types.path "The directory of files.";
      locations = mkOption { type = types.attrsOf location; default = { }; example = { "/".proxyPass = "http://localhost:3000"; }; description = "What it does for paths."; };
      extraConfig = text "Further lines.";
      globalRedirect = orNull types.str "The host that all requests are sent to.";
      redirectCode = mkOption { type = types.ints.between 300 399; default = 301; description = "The code for that."; };
      basicAuthFile = orNull types.path "A file of users and passwords, on the node.";
      addSSL = flag "Whether it serves HTTPS beside HTTP.";
      onlySSL = flag "Whether it serves HTTPS only.";
      forceSSL = flag "Whether HTTP leads to HTTPS.";
      http2 = mkOption { type = types.bool; default = true; description = "Whether HTTPS speaks HTTP/2."; };
      sslCertificate = orNull types.path "The certificate's path on the node.";
      sslCertificateKey = orNull types.path "The key's path on the node.";
    };
  };
  upstream = types.submodule {
    options = {
      servers = mkOption {
        type = types.attrsOf (types.submodule {
          freeformType = types.attrsOf (types.oneOf [ types.bool types.int types.str ]);
          options.backup = flag "Whether it serves only where no other does.";
        });
        default = { };
        example = { "10.0.0.1:8080" = { weight = 2; }; };
        description = "The servers, with their options.";
      };
      extraConfig = text "Further lines.";
    };
  };
}
