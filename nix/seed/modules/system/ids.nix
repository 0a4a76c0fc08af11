# Numbers that are the same everywhere, so that files shared by NFS belong to the same users. NixOS's
# where it has one; munge, redis, memcached and statd, whose numbers NixOS allots, have one here.
{
  uids = {
    root = 0;
    nginx = 60;
    postgres = 71;
    mysql = 84;
    _rpc = 271;
    slurm = 307;
    munge = 391;
    redis = 392;
    memcached = 393;
    haproxy = 394;
    statd = 395;
    sshd = 396;
    nobody = 65534;
  };
  gids = {
    root = 0;
    wheel = 1;
    kmem = 2;
    tty = 3;
    messagebus = 4;
    disk = 6;
    audio = 17;
    uucp = 19;
    lp = 20;
    cdrom = 24;
    tape = 25;
    video = 26;
    dialout = 27;
    utmp = 29;
    adm = 55;
    keys = 96;
    users = 100;
    input = 174;
    kvm = 302;
    render = 303;
    shadow = 318;
    nogroup = 65534;
  };
}
