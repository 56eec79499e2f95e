"""``eds new-driver``: begin a driver for one more database."""

from __future__ import annotations

from pathlib import Path

import click

_DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("new-driver")
@click.argument("name")
@click.option("--dir", "parent", type=_DIRECTORY, default=".", help="where to make it")
@click.option("--scheme", default="", help="of its URLs, where it is not NAME")
@click.option("--no-sql", is_flag=True, help="it is for something that is not SQL")
def command(name: str, parent: Path, scheme: str, no_sql: bool) -> None:
    """Begin a driver for one more database: eds-driver-NAME.

    It is a whole distribution, whose tests are green on SQLite. Its README says what
    to change into your database's own, in which order, and which tests tell that a
    step is done.
    """
    from .new_driver_files import make, project_of

    project = project_of(name, scheme)
    files = make(project, parent, "plain" if no_sql else "sql")
    click.echo(
        f"{parent / project.distribution}: {files} files. Now:\n\n"
        f"  cd {parent / project.distribution}\n"
        "  python3 -m venv .venv && .venv/bin/pip install -e '.[dev]'\n"
        "  .venv/bin/pytest\n\n"
        "README.md says how it becomes a driver for your database."
    )
