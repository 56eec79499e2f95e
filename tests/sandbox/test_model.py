"""The model has all tables, and can be changed as upstream changes it."""

import pytest

from eds_core.sandbox import load_models, parse_models


def test_all_tables_of_the_guide_are_in_the_model():
    models = load_models()

    assert len(models) == 71
    assert {"order", "user", "authorization", "vehicle_owner", "timesheet"} < set(
        models
    )
    assert all(name == model.table for name, model in models.items())


def test_only_the_connection_tables_have_composite_keys():
    composite = {
        model.table: model.keys for model in load_models().values() if model.keys[1:]
    }

    assert composite == {
        "customer_location_connection": ("customerId", "locationId"),
        "vehicle_location": ("vehicleId", "locationId"),
        "vehicle_owner": ("vehicleId", "customerId"),
    }


def test_every_key_is_a_column_that_is_not_null():
    keys = [
        model.column(name) for model in load_models().values() for name in model.keys
    ]

    assert not any(column.nullable for column in keys)


def test_an_order_has_its_form_of_2024():
    order = load_models()["order"]

    assert len(order.columns) == 98
    assert order.column("number").type == "String"
    assert order.column("appointmentDates").list
    assert order.column("status").values == ("Estimate", "RepairOrder", "Invoice")
    assert not order.has("meta")


def test_reserved_words_are_column_names():
    models = load_models()

    assert models["labor_matrix"].has("default")
    assert models["labor_matrix_range"].has("start")
    assert models["labor_matrix_range"].has("end")
    assert models["email"].has("primary")


def test_the_reply_describes_each_column():
    reply = load_models()["label"].describe()
    fields = {field["name"]: field for field in reply["fields"]}

    assert (reply["name"], reply["table"]) == ("Label", "label")
    assert fields["id"] == {
        "name": "id",
        "table": "id",
        "type": "String",
        "primary_key": True,
        "unique": False,
        "optional": False,
        "timestampz": False,
        "private": False,
        "list": False,
        "enum": False,
        "line": 2,
    }
    assert fields["color"]["type"] == "Color"
    assert fields["color"]["enum"] is True
    assert fields["updatedDate"]["timestampz"] is True
    assert fields["updatedDate"]["optional"] is True


def test_versions_are_16_hex_digits_and_differ():
    versions = {model.version for model in load_models().values()}

    assert len(versions) == 71
    assert all(len(version) == 16 and int(version, 16) for version in versions)


def test_a_changed_model_has_another_version():
    old = load_models()["order"]
    wider = old.with_column("loyaltyPoints", "Int")
    retyped = old.with_type("number", "Int")

    assert len({old.version, wider.version, retyped.version}) == 3
    assert wider.column_names == (*old.column_names, "loyaltyPoints")
    assert retyped.column("number").type == "Int"
    assert retyped.column_names == old.column_names
    assert wider.without_column("loyaltyPoints").version == old.version


def test_a_new_column_can_be_an_enum():
    model = load_models()["label"].with_column("mood", "Mood", values=("Good", "Bad"))

    assert model.describe()["fields"][-1]["enum"] is True


def test_a_misspelt_type_is_refused():
    with pytest.raises(ValueError, match=r"label\.color: unknown type Strnig"):
        load_models()["label"].with_type("color", "Strnig")


def test_the_format_of_tables_txt():
    text = "# words\nenum Mood = Good Bad\n\nday a,b: a String!, b Int!, m Mood[]!"
    (model,) = parse_models(text)

    assert model.table == "day"
    assert model.keys == ("a", "b")
    assert model.column("m").list
    assert model.column("m").values == ("Good", "Bad")
