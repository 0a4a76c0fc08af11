"""The whole loop in virtual time, against everything hostile: deterministic from one seed.

`scenario` puts the parts together, `story` makes the trouble, `invariants` and `outcome` judge.
A seed is told again by `python -m tests.scenarios.replay SEED`.
"""
