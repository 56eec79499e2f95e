"""The files of a new driver: what they are called, and what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distribution, version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from string import Template
from tempfile import TemporaryDirectory
from typing import Literal

from eds_core.destination import DRIVERS, PUBLISHED
from eds_core.driver import CONTRACT
from eds_core.errors import ConfigError
from eds_core.installed import entry_points

Kind = Literal["sql", "plain"]

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SCHEME = re.compile(r"[a-z][a-z0-9]*")
_LONGEST = 40
_SUFFIX = ".tmpl"
_PREFIX = "eds-driver-"
_DEPENDENCIES = {"sql": ("sqlalchemy>=2.0.44,<2.2",), "plain": ("msgspec>=0.19",)}


@dataclass(frozen=True, slots=True)
class Project:
    """What a new driver, its distribution and its URLs are called."""

    name: str
    scheme: str

    @property
    def distribution(self) -> str:
        return f"{_PREFIX}{self.name}"

    @property
    def package(self) -> str:
        return self.distribution.replace("-", "_")

    @property
    def title(self) -> str:
        return "".join(part.capitalize() for part in self.name.split("-"))


def project_of(name: str, scheme: str = "") -> Project:
    """Return the project called *name*, or raise ConfigError if it cannot be."""
    name = name.removeprefix(_PREFIX)
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise ConfigError(
            f"{name[:80]!r} cannot be part of the name of a distribution and a module",
            advice="use lower-case letters, digits and single hyphens, beginning "
            f"with a letter, up to {_LONGEST} characters: eds new-driver my-db",
        )
    project = Project(name, scheme or name.replace("-", ""))
    _check_scheme(project.scheme)
    _check_distribution(project.distribution)
    return project


def _check_scheme(scheme: str) -> None:
    if not _SCHEME.fullmatch(scheme) or len(scheme) > _LONGEST:
        raise ConfigError(
            f"{scheme[:80]!r} cannot be the scheme of a URL for EDS",
            advice="use lower-case letters and digits, beginning with a letter",
        )
    for entry in entry_points(group=DRIVERS, name=scheme):
        owner = entry.dist.name if entry.dist else entry.value
        raise ConfigError(
            f"the scheme {scheme}:// is taken by {owner}",
            advice="choose another one with --scheme; `eds drivers` lists those taken",
        )


def _check_distribution(name: str) -> None:
    if name.removeprefix(_PREFIX) in PUBLISHED.values():
        told = f"{name} is a distribution of EDS's own"
    else:
        try:
            told = f"{name} {distribution(name).version} is installed already"
        except PackageNotFoundError:
            return
    raise ConfigError(told, advice="choose another name; --scheme is free")


def make(project: Project, parent: Path, kind: Kind) -> int:
    """Write the project into *parent*, whole or not at all; return how many files."""
    place = parent / project.distribution
    if place.exists() or place.is_symlink():
        raise ConfigError(
            f"{place} is there already",
            advice="choose another name, or another place with --dir",
        )
    try:
        with TemporaryDirectory(prefix=".eds-new-", dir=parent) as made:
            whole = Path(made) / project.distribution
            count = _write(project, whole, kind)
            whole.rename(place)
    except OSError as error:
        raise ConfigError(
            f"cannot write {place}: {error.strerror}",
            advice="name a directory of yours with --dir",
        ) from error
    return count


def _write(project: Project, place: Path, kind: Kind) -> int:
    words = _words(project, kind)
    templates = dict(_templates(kind))
    for path, text in templates.items():
        package = path.replace("PACKAGE", project.package)
        file = place / package.replace("TITLE", project.title.lower())
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(Template(text).substitute(words), encoding="utf-8")
    return len(templates)


def _words(project: Project, kind: Kind) -> dict[str, str]:
    major, minor = version("eds-core").split(".")[:2]
    return {
        "class": f"{project.title}Driver",
        "contract": str(CONTRACT),
        "core": f"eds-core>={major}.{minor},<{major}.{int(minor) + 1}",
        "dependencies": "\n".join(f'    "{each}",' for each in _DEPENDENCIES[kind]),
        "distribution": project.distribution,
        "package": project.package,
        "scheme": project.scheme,
        "test": f"Test{project.title}",
        "title": project.title,
        "variable": f"EDS_TEST_{project.scheme.upper()}_URL",
        "year": str(datetime.now(UTC).year),
    }


def _templates(kind: Kind) -> Iterator[tuple[str, str]]:
    """The path and the text of each template."""
    top = files("eds_core.cli") / "templates"
    for part in ("common", kind):
        yield from _below(top / part, PurePosixPath())


def _below(place: Traversable, path: PurePosixPath) -> Iterator[tuple[str, str]]:
    for each in sorted(place.iterdir(), key=lambda each: each.name):
        if each.is_dir():
            yield from _below(each, path / each.name)
        elif each.name.endswith(_SUFFIX):
            name = str(path / each.name.removesuffix(_SUFFIX))
            yield name, each.read_text(encoding="utf-8")
