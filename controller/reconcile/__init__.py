"""One reconciler a kind: gather, plan, write the status, act. The only place that writes to the API."""
