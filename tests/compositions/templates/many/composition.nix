{ pkgs, helpers, lib, flavour, ... }: {
  roles = {
    head = { nodes, ... }: { environment.etc."workers".text = toString (lib.attrNames (removeAttrs nodes [ "head" ])); };
  } // helpers.makeManyById (id: { environment.variables.ID = toString id; }) "worker" 3;
  dockerPorts.head = [ "8080:80" ];
  extraVolumes = [ "/tmp/shared:/tmp/shared" ];
}
