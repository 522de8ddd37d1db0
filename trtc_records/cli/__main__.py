"""Run the command as ``python -m trtc_records.cli``."""

import sys

from trtc_records.cli import main

sys.exit(main())
