"""Flavours and builders for tests, demonstrations and measurements: machines that are only told of.

What becomes of a machine is decided when it is ordered (`policy`), and how it stands at a time is a function
of that fate and the time (`life`). So a world needs no task to run, and outlives the operator.
"""
