"""Run one pipeline per destination URL, until stopped, and say how it ended."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from pathlib import Path

from .claims import identity_of, this_process
from .credentials import Credentials, read_credentials
from .destination import Destination, find_driver
from .driver import Driver
from .dryrun import DryRun
from .dump import Dump
from .errors import ConfigError, EdsError, TakenOver, told
from .gate import SchemaChanges
from .health import Health, HealthOptions
from .health.snapshot import Snapshot
from .pipeline import Options, Pipeline
from .policy import Policy
from .standing import State
from .stream import Feed, Settings
from .transforms import find_transforms
from .urls import place_of, redact

log = logging.getLogger("eds")

DEFAULT_SERVER = "nats://connect.nats.shopmonkey.pub"

_LOOK_AGAIN = 12 * 3600.0  # seconds between two looks at the credentials file


class Exit(IntEnum):
    """Exit codes of the server."""

    OK = 0
    ERROR = 1
    USAGE = 2
    TAKEN_OVER = 4


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The command line of the server."""

    credentials: Path
    urls: tuple[str, ...] = field(repr=False)  # with passwords
    servers: tuple[str, ...] = field(default=(DEFAULT_SERVER,), repr=False)
    prefix: str = ""
    look_back: timedelta | None = None
    #: Only these of the companies that the credentials name; empty: all of them.
    companies: tuple[str, ...] = ()
    dry_run: bool = False
    dump_dir: Path | None = None
    trace: bool = False
    health: HealthOptions | None = None
    policy: Policy | None = None
    schema_changes: SchemaChanges = SchemaChanges.AUTO


class Server:
    """All pipelines of one command line. A dead destination holds no other one."""

    def __init__(
        self,
        options: ServerOptions,
        plugins: Iterable[object] = (),
        on_ready: Callable[[], None] = lambda: None,
        *,
        signals: bool = True,
        observers: Sequence[object] = (),
    ) -> None:
        """*observers*: one for each URL, or none; *plugins* are for all of them."""
        self._options = options
        self._signals = signals
        self._on_ready = on_ready
        self._credentials = read_credentials(options.credentials)
        self._companies = _chosen(self._credentials, options.companies)
        self._watch = Dump(options.dump_dir) if options.dump_dir else None
        drivers = [self._driver(url) for url in options.urls]
        names = _distinct(place_of(url) for url in options.urls)
        titles = [driver.title for driver in drivers]
        self._health = Health(options.health, list(zip(names, titles, strict=True)))
        plugins = tuple(plugins)
        policy = options.policy.plugins() if options.policy is not None else ()
        self._transforms = find_transforms((*policy, *plugins))
        several = [observers] if observers else []
        self._destinations = [
            Destination(
                driver,
                (*plugins, *own),
                actor=f"server on {this_process()}",
                schema_changes=options.schema_changes,
            )
            for driver, *own in zip(drivers, self._health.meters, *several, strict=True)
        ]
        self._pipelines: list[Pipeline] = []
        self._ready = 0

    @property
    def status_page(self) -> str:
        """Its address while the server runs; empty when there is none."""
        return self._health.url

    def _driver(self, url: str) -> Driver:
        driver = find_driver(url)
        return DryRun(url, driver) if self._options.dry_run else driver(url)

    async def run(self) -> Exit:
        """Stream until stopped; the worst ending decides the exit code.

        Raises the first error of a destination that never became ready.
        """
        for destination in self._destinations:
            feed = Feed(self._settings(), self._options.prefix)
            options = self._pipeline_options(first=not self._pipelines)
            self._pipelines.append(Pipeline(destination, feed, options))
        if self._signals:
            self._on_signals()
        runs = zip(self._options.urls, self._pipelines, strict=True)
        with self._health:
            self._tell_of(self._credentials)
            besides = [
                asyncio.create_task(self._look_at_credentials()),
                asyncio.create_task(self._health.watch(self._states)),
            ]
            try:
                return max(await asyncio.gather(*(self._run(*run) for run in runs)))
            finally:
                for task in besides:
                    task.cancel()

    @property
    def snapshot(self) -> Snapshot:
        """How everything stood within the last second."""
        return self._health.snapshot

    def _states(self) -> list[State]:
        return [pipeline.state() for pipeline in self._pipelines]

    async def _run(self, url: str, pipeline: Pipeline) -> Exit:
        try:
            await pipeline.run(lambda: self._one_ready(url))
        except TakenOver as error:
            log.error("stopped: %s", told(error))  # noqa: TRY400 - no traceback: a sentence
            return Exit.TAKEN_OVER
        except EdsError as error:
            if self._ready < len(self._pipelines):
                self.stop()
                raise
            log.error("%s stopped: %s", redact(url), told(error))  # noqa: TRY400 - no traceback: a sentence
            return Exit.USAGE if isinstance(error, ConfigError) else Exit.ERROR
        return Exit.OK

    def _one_ready(self, url: str) -> None:
        self._ready += 1
        where, companies = redact(url), len(self._companies)
        log.info("streaming to %s, companies: %d", where, companies)
        if self._ready == len(self._pipelines):
            log.info("ready")
            self._on_ready()

    async def _look_at_credentials(self) -> None:
        """Warn in time: they come closer to their end, or are replaced."""
        while True:
            await asyncio.sleep(_LOOK_AGAIN)
            try:
                found = read_credentials(self._options.credentials)
            except ConfigError as error:
                log.warning("%s", told(error))
                continue
            self._tell_of(found)
            if found.companies != self._credentials.companies:
                log.warning("%s names other companies now: restart EDS", found.path)

    def _tell_of(self, credentials: Credentials) -> None:
        """Where people look: the log, the status page, the metrics."""
        expires = credentials.expires
        self._health.expires = expires.timestamp() if expires else math.inf
        for warning in credentials.warnings(datetime.now(UTC)):
            log.warning("%s", warning)

    def stop(self) -> None:
        """Finish what is being written, then end with exit code 0."""
        for pipeline in self._pipelines:
            pipeline.stop()

    def _on_signals(self) -> None:
        loop = asyncio.get_running_loop()

        def stop(number: signal.Signals) -> None:
            log.info("%s: finishing the batch", number.name)
            for other in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(other)
                # A second one ends at once, as a crash does: Python's own way with
                # SIGINT would wait for the thread that writes.
                signal.signal(other, signal.SIG_DFL)
            self.stop()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop, number)

    def _settings(self) -> Settings:
        return Settings(
            servers=self._options.servers,
            credentials=self._options.credentials,
            name=f"eds-server-{self._credentials.name or 'unknown'}",
            trace=self._options.trace,
            account=self._credentials.account,
            companies=self._companies,
        )

    def _pipeline_options(self, *, first: bool) -> Options:
        """Each destination reads for itself; one of them is enough to be watched."""
        policy = self._options.policy
        return Options(
            identity=identity_of(self._credentials, self._options.prefix),
            companies=self._companies,
            look_back=self._options.look_back,
            watch=self._watch if first else None,
            transforms=self._transforms,
            check=policy.check if policy is not None and first else None,
        )


def _distinct(names: Iterable[str]) -> list[str]:
    """Number those that are equal, for two URLs may differ in what is not shown."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def _chosen(credentials: Credentials, some: Sequence[str]) -> tuple[str, ...]:
    """Those of *some* in the order of the file; raises ConfigError for others."""
    if unknown := sorted(set(some) - set(credentials.companies)):
        raise ConfigError(
            f"{credentials.path} names no company {', '.join(unknown)}",
            advice="--company takes ids of companies that the credentials name",
        )
    return tuple(c for c in credentials.companies if not some or c in some)


def spare_the_collector() -> None:
    """Look for cycles seldom: what is loaded stays; rows and events form none.

    Measured with `python -m bench stream`: 5 to 12 % less CPU.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 1000)


def serve(
    options: ServerOptions,
    plugins: Sequence[object] = (),
    on_ready: Callable[[], None] = lambda: None,
) -> Exit:
    """Run a server to its end."""
    spare_the_collector()
    return asyncio.run(Server(options, plugins, on_ready).run())
