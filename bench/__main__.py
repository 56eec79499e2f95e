"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import asyncio

from bench import (
    companies,
    costs,
    driver,
    imports,
    latency,
    page,
    soak,
    stages,
    start,
    stream,
    suite,
    tuning,
)

MODULES = (
    stream,
    latency,
    imports,
    driver,
    stages,
    companies,
    costs,
    tuning,
    start,
    soak,
    suite,
    page,
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="WHAT")
    for module in MODULES:
        name = getattr(module, "NAME", module.__name__.rpartition(".")[2])
        about = (module.__doc__ or "").partition("\n")[0]
        command = commands.add_parser(
            name,
            help=about,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_options(command)
        command.set_defaults(run=module.run)
    options = parser.parse_args()
    asyncio.run(options.run(options))


if __name__ == "__main__":
    main()
