"""The loop as users have it: the operator a real process, against control planes, on a simulated testbed."""
