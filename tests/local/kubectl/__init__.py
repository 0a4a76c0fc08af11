"""What a user types: the same commands against the local and the real control plane."""
