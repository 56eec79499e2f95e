"""What people do at work in a shop, as the events that it causes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from eds_core.sandbox.books import Books, Company
from eds_core.sandbox.event import ShopEvent
from eds_core.sandbox.rows import StoredRow
from eds_core.sandbox.values import Value

Work: TypeAlias = Iterator[ShopEvent]
Task: TypeAlias = Callable[[Books, Company], Work]

OPENING_TABLES = (
    "location", "user", "user", "workflow_status", "workflow_status", "tax_config",
    "payment_term", "labor_rate", "labor_matrix", "labor_matrix_range",
    "pricing_matrix", "pricing_matrix_range", "vendor", "brand",
)  # fmt: skip
LINE_TABLES = ("labor", "part", "part", "tire", "fee", "subcontract")
UPDATES_IN_A_ROW = 4


def open_shop(books: Books, company: Company) -> Work:
    """A company's first rows."""
    for table in OPENING_TABLES:
        yield books.insert(company, table)


def welcome_customer(books: Books, company: Company) -> Work:
    customer = books.insert(company, "customer")
    yield customer
    given: dict[str, Value] = {"customerId": customer.key[0]}
    yield books.insert(company, "email", given)
    yield books.insert(company, "phone_number", given)
    yield books.insert(company, "customer_location_connection", given)
    vehicle = books.insert(company, "vehicle")
    yield vehicle
    yield books.insert(company, "vehicle_owner", {**given, "vehicleId": vehicle.key[0]})
    yield books.insert(company, "vehicle_location", {"vehicleId": vehicle.key[0]})


def write_order(books: Books, company: Company) -> Work:
    order = books.insert(company, "order", {"status": "Estimate", "paid": False})
    yield order
    given: dict[str, Value] = {"orderId": order.key[0]}
    service = books.insert(company, "service", given)
    yield service
    given["serviceId"] = service.key[0]
    for _ in range(books.random.randrange(1, 5)):
        yield books.insert(company, books.random.choice(LINE_TABLES), given)


def work_on_order(books: Books, company: Company) -> Work:
    """The same order, changed a few times within moments."""
    order = company.pick("order", books.random)
    for _ in range(books.random.randrange(1, UPDATES_IN_A_ROW)):
        if order is None:
            return
        yield books.update(company, order, _progress(books))
        order = _again(company, order)


def take_payment(books: Books, company: Company) -> Work:
    order = company.pick("order", books.random)
    if order is None:
        return
    cents = books.random.randrange(1000, 100_000)
    given: dict[str, Value] = {"orderId": order.key[0], "amountCents": cents}
    yield books.insert(company, "payment", given)
    paid: dict[str, Value] = {
        "paid": True,
        "paidCostCents": cents,
        "remainingCostCents": 0,
        "status": "Invoice",
    }
    yield books.update(company, order, paid)


def make_appointment(books: Books, company: Company) -> Work:
    appointment = books.insert(company, "appointment")
    yield appointment
    given = {"appointmentId": appointment.key[0]}
    yield books.insert(company, "appointment_user_connection", given)
    yield books.insert(company, "reminder", given)


def authorize_work(books: Books, company: Company) -> Work:
    authorization = books.insert(company, "authorization")
    yield authorization
    given = {"authorizationId": authorization.key[0]}
    yield books.insert(company, "authorization_service", given)


def send_message(books: Books, company: Company) -> Work:
    if company.pick("conversation", books.random) is None:
        yield books.insert(company, "conversation")
    yield books.insert(company, "message")


def count_stock(books: Books, company: Company) -> Work:
    part = company.pick("inventory_part", books.random)
    if part is None or books.values.chance(0.3):
        yield books.insert(company, "inventory_part")
    else:
        yield books.update(company, part, {"quantity": books.values.fractional()})


def touch_row(books: Books, company: Company) -> Work:
    """A change to a few columns of any row, or to none but its times."""
    row = _any_row(books, company)
    if row is None:
        return
    model = books.models[row.model.table]
    fixed = {*model.keys, "companyId", "locationId", "createdDate", "meta"}
    free = [column for column in model.columns if column.name not in fixed]
    some = books.random.sample(free, min(len(free), books.random.randrange(4)))
    now = books.random.randrange(10**9) + row.version * 10**6
    yield books.update(
        company, row, {column.name: books.values.value(column, now) for column in some}
    )


def delete_row(books: Books, company: Company) -> Work:
    row = _any_row(books, company)
    if row is not None and row.model.table != "location":
        yield books.delete(company, row)


def revive_row(books: Books, company: Company) -> Work:
    """A key that was deleted comes back with a new row."""
    if company.deleted:
        place = books.random.randrange(len(company.deleted))
        row = company.deleted.pop(place)
        if not company.has(row.model.table, row.key):
            yield books.revive(company, row)


@dataclass(frozen=True, slots=True)
class Habit:
    """A task and how often it is done, compared with the others."""

    task: Task
    weight: int


HABITS = (
    Habit(welcome_customer, 6),
    Habit(write_order, 8),
    Habit(work_on_order, 30),
    Habit(take_payment, 7),
    Habit(make_appointment, 4),
    Habit(authorize_work, 4),
    Habit(send_message, 10),
    Habit(count_stock, 8),
    Habit(touch_row, 20),
    Habit(delete_row, 7),
    Habit(revive_row, 3),
)


def _progress(books: Books) -> Mapping[str, Value]:
    total = books.random.randrange(1000, 500_000)
    return {
        "status": books.random.choice(("Estimate", "RepairOrder", "Invoice")),
        "totalCostCents": total,
        "remainingCostCents": total,
        "authorized": books.values.chance(0.7),
    }


def _again(company: Company, row: StoredRow) -> StoredRow | None:
    return company.stores[row.model.table].get(row.key)


def _any_row(books: Books, company: Company) -> StoredRow | None:
    tables = [table for table, store in company.stores.items() if len(store)]
    return company.pick(books.random.choice(tables), books.random) if tables else None
