"""What keeps the loop turning: store, queue, resync, leader lease, events. No decisions about deployments."""
