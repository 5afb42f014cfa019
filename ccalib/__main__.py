"""`python -m ccalib` is `ccalib`."""

import sys

from ccalib.cli import main

sys.exit(main())
