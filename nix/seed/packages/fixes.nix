# What single packages need beyond what holds for all.
{
  # One store path for several Debian packages: the first is its name, and the others are the same derivation.
  together = {
    libc6 = [
      "libgcc-s1"
      "libcrypt1"
    ];
    mariadb-server-core = [
      "mariadb-client-core"
      "mariadb-client"
    ];
    postgresql-15 = [ "postgresql-client-15" ];
    python3 = [
      "python3-minimal"
      "python3.11"
      "python3.11-minimal"
      "libpython3.11-minimal"
      "libpython3.11-stdlib"
      "libpython3-stdlib"
    ];
  };

  # drop: globs that must match something; post: commands in $out.
  packages = {
    postgresql-15 = {
      drop = [
        "lib/postgresql/15/lib/llvmjit.so"
        "lib/postgresql/15/lib/bitcode"
      ];
      post = "mkdir -p bin; for program in lib/postgresql/15/bin/*; do ln -s $out/$program bin/; done";
    };
    # What Debian's update-alternatives would link.
    # It would look for its database in /usr/share/misc.
    file.post = ''
      for dep in $deps; do [ ! -e $dep/lib/file/magic.mgc ] || magic=$dep/lib/file/magic.mgc; done
      wrap file "env MAGIC=\"\''${MAGIC:-$magic}\" @"
    '';
    # Likewise for the names of devices, and git for its own commands.
    pciutils.post = ''
      for dep in $deps; do [ ! -e $dep/share/misc/pci.ids ] || ids=$dep/share/misc/pci.ids; done
      wrap lspci "@ -i $ids"
    '';
    git.post = "wrap git \"env GIT_EXEC_PATH=$out/lib/git-core GIT_TEMPLATE_DIR=$out/share/git-core/templates @\"";
    gawk.post = "ln -s gawk bin/awk";
    vim-tiny.post = "ln -s vim.tiny bin/vim; ln -s vim.tiny bin/vi";
    traceroute.post = "ln -s traceroute.db bin/traceroute";
    netcat-openbsd.post = "ln -s nc.openbsd bin/nc; ln -s nc.openbsd bin/netcat";
    "lua5.4".post = "ln -s lua5.4 bin/lua; ln -s luac5.4 bin/luac";
    # mariadb-install-db looks for the server below --basedir.
    mariadb-server-core.post = "ln -s bin sbin";
    iptables.post = ''
      for six in "" 6; do
        for what in "" -save -restore; do ln -s xtables-nft-multi bin/ip''${six}tables$what; done
      done
    '';
    # Debian chooses between two schedulers' programs at installation.
    slurmctld.post = "ln -s slurmctld-wlm bin/slurmctld";
    # For a library (PMIx) that MPI programs bring themselves; slurmd complains at every start without it.
    slurm-wlm-basic-plugins.drop = [ "lib/slurm-wlm/mpi_pmix*.so" ];
    # slurmd would look for its helper in /usr/sbin.
    slurmd.post = ''
      mv bin/slurmd-wlm bin/slurmd
      ln -s slurmstepd-wlm bin/slurmstepd
      wrap slurmd "@ -d $out/bin/slurmstepd"
    '';
    # File systems of Xen's own boot loader.
    "libxenmisc4.17".drop = [ "lib/xen-4.17" ];
    # Traffic control for ATM networks, by a library that nothing else uses.
    iproute2.drop = [ "lib/tc/q_atm.so" ];
  };
}
