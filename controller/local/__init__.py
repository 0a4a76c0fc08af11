"""The local control plane: a Kubernetes API server for a machine that has no cluster.

It stands apart from the operator, which reaches it as it reaches any cluster: through a kubeconfig.
"""
