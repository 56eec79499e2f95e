"""Load the files of an export into a destination. Begin with ``run``."""
