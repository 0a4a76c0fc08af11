"""Decisions, pure: desired and observed state and a clock reading in, actions and conditions out.

No I/O, no logging, no globals. Everything here can be read as the rules of the game.
"""
