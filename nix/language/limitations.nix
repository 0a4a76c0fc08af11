# What a composition says and its flavour cannot honour, in sentences: somebody who thinks of moving there reads them in
# the status before any node is taken. Only what the composition itself says counts, not what modules of the package
# source define.
{ source }:
{ flavour, nodes, dockerPorts, extraVolumes }:
let
  inherit (builtins) attrNames concatMap concatStringsSep elem filter isList length map stringLength substring;

  # Options that say something about a kernel or a boot of one's own.
  inContainers = [
    { option = "boot.kernelPackages"; why = "the kernel is the host's"; }
    { option = "boot.kernelPatches"; why = "the kernel is the host's"; }
    { option = "boot.kernelParams"; why = "the kernel is the host's, and has booted already"; }
    { option = "boot.kernelModules"; why = "modules are loaded by the host alone"; }
    { option = "boot.extraModulePackages"; why = "modules are loaded by the host alone"; }
    { option = "boot.blacklistedKernelModules"; why = "modules are loaded by the host alone"; }
    { option = "boot.extraModprobeConfig"; why = "modules are loaded by the host alone"; }
    { option = "boot.kernel.sysctl"; why = "settings of the kernel are the host's; a container may change few or none"; }
    { option = "boot.initrd.kernelModules"; why = "containers have no initrd"; }
    { option = "boot.initrd.availableKernelModules"; why = "containers have no initrd"; }
    { option = "boot.loader.grub.enable"; why = "containers have no boot loader"; }
    { option = "hardware.firmware"; why = "devices are the host's"; }
    { option = "swapDevices"; why = "memory is the host's to swap"; }
    { option = "fileSystems"; why = "a container may mount nothing, unless it is privileged"; }
  ];
  onDisk = [{ option = "boot.kernelPackages"; why = "one kernel is installed for all roles"; }];

  parts = option: filter builtins.isString (builtins.split "[.]" option);
  dig = set: path: if path == [ ] then set else dig (set.${builtins.head path} or { }) (builtins.tail path);
  begins = prefix: text: substring 0 (stringLength prefix) text == prefix;

  # The package source's modules and those of this folder are not the composition's.
  shipped = map toString [ source.modulesPath ../. ];
  theirs = file: file == "<unknown-file>" || builtins.any (folder: begins "${folder}/" file) shipped;
  empty = value: (isList value && value == [ ]) || (builtins.isAttrs value && ! (value ? type) && value == { });
  says = option: role:
    let found = (dig (nodes.${role}.options or { }) (parts option)).definitionsWithLocations or [ ]; in
    filter (definition: ! theirs (toString definition.file) && ! empty definition.value) found != [ ];

  shown = roles: if length roles > 5 then "${concatStringsSep ", " (builtins.genList (at: builtins.elemAt roles at) 5)} and ${toString (length roles - 5)} more" else concatStringsSep ", " roles;
  tell = what: roles: why:
    if roles == [ ] then [ ] else [ "${what} (role${if length roles == 1 then "" else "s"} ${shown roles}): ${why}" ];

  contained = filter (role: (nodes.${role}.config.boot or { }).isContainer or false) (attrNames nodes);
  machines = filter (role: ! (elem role contained)) (attrNames nodes);
  with' = part: filter (role: (part.${role} or [ ]) != [ ]) machines;
in
concatMap (one: tell one.option (filter (says one.option) contained) one.why) inContainers
++ (if flavour == "g5k-image" && length machines > 1 then concatMap (one: tell one.option (filter (says one.option) machines) one.why) onDisk else [ ])
++ tell "dockerPorts" (with' dockerPorts) "only containers have ports on their host; reach nodes by SSH"
++ tell "extraVolumes" (with' extraVolumes) "only containers mount volumes"
