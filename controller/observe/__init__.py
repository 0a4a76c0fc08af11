"""Metrics, logging and health: what is seen of the operator from outside."""
