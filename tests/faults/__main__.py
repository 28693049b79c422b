"""`python -m tests.faults`: the full storm, about two minutes."""

import sys

from tests.faults.storm import main

sys.exit(main())
