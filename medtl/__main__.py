"""`python -m medtl ...`: the same engine without a browser."""

import sys

from medtl.cli import main

sys.exit(main())
