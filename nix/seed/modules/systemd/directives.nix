# What the seed knows of systemd's directives (systemd.service(5), .exec(5), .unit(5), .kill(5),
# .resource-control(5)).
{
  # Acted upon.
  service = [
    "Type" "ExecStart" "ExecStartPre" "ExecStartPost" "ExecReload" "ExecStop" "ExecStopPost" "RemainAfterExit"
    "Restart" "RestartSec" "User" "Group" "SupplementaryGroups" "WorkingDirectory" "UMask" "Environment"
    "EnvironmentFile" "PIDFile" "RuntimeDirectory" "RuntimeDirectoryMode" "RuntimeDirectoryPreserve"
    "StateDirectory" "StateDirectoryMode" "LogsDirectory" "LogsDirectoryMode" "CacheDirectory"
    "CacheDirectoryMode" "ConfigurationDirectory" "ConfigurationDirectoryMode" "TimeoutStartSec"
    "TimeoutStopSec" "TimeoutSec" "KillSignal" "KillMode" "Nice" "OOMScoreAdjust" "SuccessExitStatus"
    "PermissionsStartOnly"
  ];
  limits = [
    "LimitCPU" "LimitFSIZE" "LimitDATA" "LimitSTACK" "LimitCORE" "LimitRSS" "LimitNOFILE" "LimitAS" "LimitNPROC"
    "LimitMEMLOCK" "LimitLOCKS" "LimitSIGPENDING" "LimitMSGQUEUE" "LimitNICE" "LimitRTPRIO" "LimitRTTIME"
  ];
  # Accepted and listed in the unit's `unenforced`: they confine, limit or decorate, and a service runs
  # without them.
  unenforced = [
    "AmbientCapabilities" "BindPaths" "BindReadOnlyPaths" "CapabilityBoundingSet" "DeviceAllow" "DevicePolicy"
    "DynamicUser" "InaccessiblePaths" "IPAccounting" "IPAddressAllow" "IPAddressDeny" "KeyringMode"
    "LockPersonality" "MemoryDenyWriteExecute" "MountFlags" "NoExecPaths" "NoNewPrivileges" "ExecPaths"
    "NotifyAccess" "PrivateDevices" "PrivateIPC" "PrivateMounts" "PrivateNetwork" "PrivatePIDs" "PrivateTmp"
    "PrivateUsers" "ProcSubset" "ProtectClock" "ProtectControlGroups" "ProtectHome" "ProtectHostname"
    "ProtectKernelLogs" "ProtectKernelModules" "ProtectKernelTunables" "ProtectProc" "ProtectSystem"
    "ReadOnlyPaths" "ReadWritePaths" "ReadOnlyDirectories" "ReadWriteDirectories" "RemoveIPC"
    "RestrictAddressFamilies" "RestrictFileSystems" "RestrictNamespaces" "RestrictRealtime" "RestrictSUIDSGID"
    "SecureBits" "SocketBindAllow" "SocketBindDeny" "SystemCallArchitectures" "SystemCallErrorNumber"
    "SystemCallFilter" "SystemCallLog" "TemporaryFileSystem" "UnsetEnvironment"
    "CPUAccounting" "CPUAffinity" "CPUQuota" "CPUSchedulingPolicy" "CPUSchedulingPriority" "CPUShares" "CPUWeight"
    "AllowedCPUs" "AllowedMemoryNodes" "BlockIOAccounting" "BlockIOWeight" "Delegate" "IOAccounting"
    "IOSchedulingClass" "IOSchedulingPriority" "IOWeight" "MemoryAccounting" "MemoryHigh" "MemoryLimit"
    "MemoryLow" "MemoryMax" "MemoryMin" "MemorySwapMax" "OOMPolicy" "ManagedOOMSwap" "ManagedOOMMemoryPressure"
    "Slice" "StartupCPUWeight" "TasksAccounting" "TasksMax"
    "FinalKillSignal" "RestartKillSignal" "ReloadSignal" "SendSIGHUP" "SendSIGKILL" "WatchdogSec" "WatchdogSignal"
    "TimeoutAbortSec" "TimeoutStartFailureMode" "TimeoutStopFailureMode" "TimeoutCleanSec" "RestartSteps"
    "RestartMaxDelaySec" "RestartPreventExitStatus" "RestartForceExitStatus" "RestartMode" "ExitType"
    "ExecCondition" "GuessMainPID" "IgnoreSIGPIPE" "LogRateLimitIntervalSec" "LogRateLimitBurst" "LogLevelMax"
    "LogExtraFields" "LogNamespace" "RootDirectoryStartOnly" "RuntimeMaxSec" "RuntimeRandomizedExtraSec"
    "StandardError" "StandardInput" "StandardOutput" "SyslogFacility" "SyslogIdentifier" "SyslogLevel" "SyslogLevelPrefix"
    "TTYPath" "TTYReset" "TTYVHangup" "TTYVTDisallocate" "UtmpIdentifier" "UtmpMode" "PassEnvironment"
    "NonBlocking" "CoredumpFilter" "Personality" "TimerSlackNSec" "NUMAPolicy" "NUMAMask" "LoadCredential"
    "SetCredential" "ImportCredential" "LoadCredentialEncrypted" "SetCredentialEncrypted" "Sockets" "FileDescriptorStoreMax"
  ];
  # They would change what runs, or with what.
  refused = {
    RootDirectory = "the seed changes no root";
    RootImage = "the seed changes no root";
    BusName = "there is no D-Bus; Type = \"simple\" serves";
    NetworkNamespacePath = "the seed makes no namespaces";
    JoinsNamespaceOf = "the seed makes no namespaces";
    PAMName = "there is no PAM";
  };
  unit = [
    "Description" "Documentation" "Requires" "Requisite" "Wants" "BindsTo" "PartOf" "Upholds" "Conflicts" "Before"
    "After" "OnFailure" "OnSuccess" "PropagatesReloadTo" "ReloadPropagatedFrom" "PropagatesStopTo" "StopPropagatedFrom"
    "JoinsNamespaceOf" "RequiresMountsFor" "WantsMountsFor" "OnFailureJobMode" "IgnoreOnIsolate" "StopWhenUnneeded"
    "RefuseManualStart" "RefuseManualStop" "AllowIsolate" "DefaultDependencies" "SurviveFinalKillSignal"
    "CollectMode" "FailureAction" "SuccessAction" "JobTimeoutSec" "JobRunningTimeoutSec" "JobTimeoutAction"
    "StartLimitIntervalSec" "StartLimitBurst" "StartLimitInterval" "StartLimitAction" "RebootArgument" "SourcePath"
  ];
  # Of those, dependencies between units.
  dependencies = {
    Requires = "requires"; Wants = "wants"; BindsTo = "bindsTo"; PartOf = "partOf"; Conflicts = "conflicts";
    Before = "before"; After = "after"; Requisite = "requires"; Upholds = "wants";
  };
  conditions = [
    "PathExists" "PathExistsGlob" "PathIsDirectory" "PathIsSymbolicLink" "PathIsMountPoint" "PathIsReadWrite"
    "DirectoryNotEmpty" "FileNotEmpty" "FileIsExecutable" "KernelCommandLine" "Host" "User" "Group" "Virtualization"
    "Environment"
  ];
}
