"""nxc-controller: NixOS Compose as a Kubernetes operator.

The layers, from the top: `app` and `cli`, `reconcile`, `runtime`, `flavours` and `build`, `testbeds` and
`boot`, `kube`, `observe`, `plan`, `model`. Each imports only what stands below it; CI holds that.
"""
