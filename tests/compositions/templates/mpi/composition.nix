{ pkgs, ... }: {
  roles.node = { pkgs, ... }: {
    environment.systemPackages = [ pkgs.openmpi ];
    environment.variables.OMPI_ALLOW_RUN_AS_ROOT = "1";
    environment.variables.OMPI_ALLOW_RUN_AS_ROOT_CONFIRM = "1";
  };
  rolesDistribution = { node = 2; };
  testScript = ''
    node1.succeed("mpirun --host node1,node2 hostname")
  '';
}
