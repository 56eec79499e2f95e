"""Imported by the fork server as the last: what no child then has to do."""

import gc
import os
import sys

from eds_core.installed import entry_points

# As in the children, or what was found is not what they ask for.
sys.path[:] = os.environ.pop("PYTHONPATH").split(os.pathsep)
for name in [name for name in os.environ if name.startswith("EDS_TEST_")]:
    del os.environ[name]  # EDS would look through all commands for what it may mean
DRIVERS = entry_points("eds.drivers")
gc.freeze()  # or each child copies all of it at its first collection
