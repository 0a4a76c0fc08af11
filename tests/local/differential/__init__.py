"""The same random calls to the local and to the real control plane; their answers must agree.

`python -m tests.local.differential --help` runs more of them than `make test` does.
"""
