"""``python -m eds_core`` is ``eds``."""

from .cli import main

main(prog_name="eds")
