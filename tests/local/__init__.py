"""Tests that hold the local control plane to the real one: each runs on both."""
