"""Imported by the fork server, so that no child has to look for distributions."""

from eds_core.installed import entry_points

DRIVERS = entry_points("eds.drivers")
