"""A shop whose events hold some of everything, and what a destination must hold."""

from collections import Counter

from acceptance.tables import (
    connect,
    differences,
    execute,
    fetched,
    names_of_tables,
    rows,
)
from eds_core.cli.quarantine import opened
from eds_core.sandbox import COMPANY

TABLES = ("order", "customer", "vehicle_owner")  # a reserved word, a composite key
GROWS = "brand"  # gets a column after the other
AT_FAULT = "label"
TWICE = "labor_rate"
EVENTS = 8
POISON = f"dbchange.tag.INSERT.{COMPANY}.NONE.PUBLIC.1.poison"

#: A user's own table is in the place of the shop's, and is taken away again.
HARM = (
    f"ALTER TABLE {AT_FAULT} RENAME TO kept",
    f"CREATE TABLE {AT_FAULT} (other integer PRIMARY KEY)",
)
MENDING = (f"DROP TABLE {AT_FAULT}", f"ALTER TABLE kept RENAME TO {AT_FAULT}")


class Story:
    """What one shop does, in parts, and whether *url* holds it."""

    def __init__(self, sandbox, url, dice):
        self.url = url
        self.harmed = False
        self.poisoned = 0
        self._sandbox = sandbox
        self._shop = sandbox.shop
        self._dice = dice
        self._alive = []
        self._new = sorted(self._shop.models.keys() - {*TABLES, GROWS, AT_FAULT, TWICE})
        self._grown = None
        self._last = 0
        self._poll = None

    async def goes_on(self):
        """Poison; rows come, change and go; a table is new or has grown.

        The table that may be parked is last: one that is resumed has then caught up
        with its last event, and does not wait for a heartbeat to know.
        """
        await self._sandbox.publish_raw(POISON, b"no JSON")
        self.poisoned += 1
        single = {"name": f"rate-{self.poisoned}"}
        others = [self._growth(), self._shop.insert(TWICE, single)]
        await self.publish(*self.deeds(), *others, self._shop.insert(AT_FAULT))

    async def publish(self, *events):
        sequences = await self._sandbox.publish_many(events, gzip_share=0.3)
        self._last = sequences[-1]

    def deeds(self, *, deletes=True):
        """Of each table a row, and what happens to it and others."""
        for table in TABLES:
            self._alive.append(event := self._shop.insert(table))
            yield event
        for _ in range(EVENTS - len(TABLES)):
            if not self._alive:
                return
            row = self._dice.choice(self._alive)
            if deletes and self._dice.random() < 0.6:
                self._alive.remove(row)
                yield self._shop.delete(row.table, row.key)
            else:
                moment = f"2026-11-25T10:00:00.{self._dice.randrange(10**6):06d}Z"
                yield self._shop.update(row.table, row.key, {"updatedDate": moment})

    def _growth(self):
        if self._new and self._dice.random() < 0.5:
            return self._shop.insert(self._new.pop())
        if self._grown is None:
            self._grown = self._shop.insert(GROWS)
            return self._grown
        model = self._shop.models[GROWS]
        column = f"added_{len(model.columns)}"
        self._sandbox.use(model.with_column(column))
        return self._shop.update(GROWS, self._grown.key, {column: "new"})

    def harm(self):
        """What a user should not do; the next event of the table parks it."""
        execute(self.url, *HARM)
        self.harmed = True

    def mend(self):
        """Undo it, and ask for the table to be read again."""
        execute(self.url, *MENDING)
        with opened(self.url) as ledger:
            ledger.request_resume(AT_FAULT)
        self.harmed = False

    async def two_of_a_kind(self):
        """The second row is refused, for a user's own index, and kept."""
        length = "(64)" if self.url.startswith("mariadb") else ""
        index = f"CREATE UNIQUE INDEX own ON {TWICE} (name{length})"
        execute(self.url, index)
        name = {"name": f"twice-{self.poisoned}"}
        _, second = two = [self._shop.insert(TWICE, name) for _ in range(2)]
        await self.publish(*two)
        return second

    async def delete(self, row):
        await self.publish(self._shop.delete(row.table, row.key))

    def refused(self):
        """The quarantine's entries that are no poison."""
        kept = rows(self.url, "SELECT id, subject FROM _eds_quarantine")
        return [row["id"] for row in kept if row["subject"] != POISON]

    def retry(self):
        """Drop the index, and ask for what was refused to be tried again."""
        where = f" ON {TWICE}" if self.url.startswith("mariadb") else ""
        execute(self.url, f"DROP INDEX own{where}")
        with opened(self.url) as ledger:
            ledger.set_quarantine_state(self.refused(), "retry")

    def moved(self):
        """Everything has been looked at; cheap, to be asked again and again."""
        try:
            cursor = self._connected().cursor()
            cursor.execute("SELECT min(seq) FROM _eds_checkpoint")
            return (cursor.fetchone()[0] or 0) >= self._last
        except Exception:  # noqa: BLE001 - whatever a database says when it has no such table
            return False

    def _connected(self):
        """One connection, kept: to make one takes longer than to ask."""
        if self._poll is None:
            self._poll = connect(self.url)
        return self._poll

    def _fetched(self, query):
        return fetched(self._connected(), query)

    def elsewhere(self, url):
        """The same shop, another destination."""
        self.close()
        self.url = url

    def close(self):
        if self._poll is not None:
            self._poll.close()
        self._poll = None

    def wrong(self):
        """What is otherwise than it must be, in words."""
        expected = self._shop.state()
        if self.harmed:
            expected[AT_FAULT] = {}
        strange = {f"table {name} should not be there" for name in (AT_FAULT, "kept")}
        found = differences(self.url, expected, self._shop.models, self._connected())
        return [
            *(some for some in found if not self.harmed or some not in strange),
            *self._wrong_books(),
        ]

    def _wrong_books(self):
        if not {"_eds_parked", "_eds_quarantine"} <= names_of_tables(self._connected()):
            yield "EDS's own tables are missing"
            return
        parked = [
            row["table_name"]
            for row in self._fetched("SELECT table_name FROM _eds_parked")
        ]
        if parked != [AT_FAULT] * self.harmed:
            yield f"parked: {parked}"
        kept = self._fetched("SELECT subject FROM _eds_quarantine")
        counts = Counter(row["subject"] for row in kept)
        if counts != Counter({POISON: self.poisoned} if self.poisoned else {}):
            yield f"quarantined: {dict(counts)}, not {self.poisoned}"
