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
      mv bin/file bin/.file
      for dep in $deps; do [ ! -e $dep/lib/file/magic.mgc ] || magic=$dep/lib/file/magic.mgc; done
      printf '#!%s\nexec env MAGIC="''${MAGIC:-%s}" %s "$@"\n' $busybox/bin/sh $magic $out/bin/.file > bin/file
      chmod +x bin/file
    '';
    gawk.post = "ln -s gawk bin/awk";
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
      ln -s slurmstepd-wlm bin/slurmstepd
      printf '#!%s\nexec %s -d %s "$@"\n' $busybox/bin/sh $out/bin/slurmd-wlm $out/bin/slurmstepd > bin/slurmd
      chmod +x bin/slurmd
    '';
    # File systems of Xen's own boot loader.
    "libxenmisc4.17".drop = [ "lib/xen-4.17" ];
    # Traffic control for ATM networks, by a library that nothing else uses.
    iproute2.drop = [ "lib/tc/q_atm.so" ];
  };
}
