"""Measurements: time, memory and API writes, in one readable table. Nothing here passes or fails."""
