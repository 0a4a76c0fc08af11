# What single packages need beyond what holds for all.
{
  # One store path for several Debian packages: the first is its name, and the others are the same derivation.
  together = {
    libc6 = [
      "libgcc-s1"
      "libcrypt1"
    ];
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
    # File systems of Xen's own boot loader.
    "libxenmisc4.17".drop = [ "lib/xen-4.17" ];
    # Traffic control for ATM networks, by a library that nothing else uses.
    iproute2.drop = [ "lib/tc/q_atm.so" ];
    postgresql-client-15.post = "mkdir -p bin; for program in lib/postgresql/15/bin/*; do ln -s $out/$program bin/; done";
  };
}
