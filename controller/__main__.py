"""`python -m controller`: the same as `nxc-controller`."""

import sys

from controller.cli import main

sys.exit(main())
