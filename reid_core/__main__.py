"""``python -m reid_core`` is the ``reid`` command."""

import sys

from reid_core.cli import main

sys.exit(main())
