"""`python -m realtape.cli`: the same as `realtape`."""

from __future__ import annotations

import sys

from . import main

sys.exit(main())
