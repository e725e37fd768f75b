"""What it means that a value matches; what a criterion may be."""

from decimal import Decimal

import pytest

from etm_graph.core.criteria import ACCOUNT_FIELDS, Criterion, DataType, FieldDef, Operator, compile_criterion, matches
from etm_graph.core.errors import Invalid

CHANNELS = FieldDef("custom.Channels", DataType.MULTI_PICKLIST, "Channels")
FIELDS = {**ACCOUNT_FIELDS, CHANNELS.name: CHANNELS}


def holds(field: str, operator: Operator, *values: str, value: object) -> bool:
    return matches(compile_criterion(Criterion(1, field, operator, values), FIELDS[field]), value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("80202", True),
        ("80202-1234", True),
        ("81999", True),
        ("82000", False),
        ("79999", False),
        ("8020", False),
        ("K1A 0B1", False),
    ],
)
def test_a_postal_range_holds_codes_of_its_format(value: str, expected: bool) -> None:
    assert holds("billing_postal_code", Operator.EQUALS, "80000..81999", value=value) is expected


def test_canadian_codes_compare_without_spaces_and_case() -> None:
    assert holds("billing_postal_code", Operator.EQUALS, "K1A0A1..K1A0Z9", value="k1a 0b1")


@pytest.mark.parametrize("operator", [Operator.NOT_EQUAL, Operator.NOT_IN, Operator.NOT_CONTAINS])
def test_a_missing_value_matches_negative_operators(operator: Operator) -> None:
    assert holds("name", operator, "x", value=None)


@pytest.mark.parametrize(
    "operator", [Operator.EQUALS, Operator.IN, Operator.CONTAINS, Operator.STARTS_WITH, Operator.LESS]
)
def test_a_missing_value_matches_no_positive_operator(operator: Operator) -> None:
    assert not holds("name", operator, "x", value=None)


def test_is_null_matches_only_missing_values() -> None:
    assert holds("name", Operator.IS_NULL, value=None)
    assert not holds("name", Operator.IS_NULL, value="x")


def test_text_compares_normalised_and_without_case() -> None:
    assert holds("name", Operator.EQUALS, "ＡＣＭＥ ﬁne", value="acme fine")


def test_several_values_mean_any_and_for_negative_operators_none() -> None:
    assert holds("industry", Operator.STARTS_WITH, "51", "52", value="5221")
    assert not holds("industry", Operator.NOT_IN, "51", "52", value="52")


def test_amounts_compare_exactly() -> None:
    assert holds("annual_revenue", Operator.EQUALS, "0.10", value=Decimal("0.1"))
    assert not holds("annual_revenue", Operator.GREATER, "1000000", value=Decimal(1_000_000))
    assert holds("annual_revenue", Operator.BETWEEN, "1", "2", value=Decimal(2))


def test_multi_picklists_include_and_exclude() -> None:
    assert holds(CHANNELS.name, Operator.INCLUDES, "DIRECT", "ONLINE", value=["PARTNER", "online"])
    assert not holds(CHANNELS.name, Operator.EXCLUDES, "DIRECT", value=["DIRECT"])


def test_within_measures_on_the_globe() -> None:
    denver, boulder = ("39.7392", "-104.9903"), (40.0150, -105.2705)
    assert holds("location", Operator.WITHIN, *denver, "39", value=boulder)
    assert not holds("location", Operator.WITHIN, *denver, "38", value=boulder)


@pytest.mark.parametrize(
    ("field", "operator", "values", "where"),
    [
        ("annual_revenue", Operator.CONTAINS, ("1",), "operator"),
        ("annual_revenue", Operator.GREATER, ("1", "2"), "values"),
        ("annual_revenue", Operator.GREATER, ("a lot",), "values"),
        ("annual_revenue", Operator.GREATER, ("NaN",), "values"),
        ("annual_revenue", Operator.BETWEEN, ("1",), "values"),
        ("name", Operator.EQUALS, (), "values"),
        ("name", Operator.CONTAINS, ("",), "values"),
        ("name", Operator.IS_NULL, ("x",), "values"),
        ("billing_postal_code", Operator.EQUALS, ("81999..80000",), "values"),
        ("billing_postal_code", Operator.EQUALS, ("80000..K1A",), "values"),
        ("location", Operator.WITHIN, ("91", "0", "1"), "values"),
        ("location", Operator.WITHIN, ("0", "0", "0"), "values"),
    ],
)
def test_what_cannot_be_meant_is_refused(field: str, operator: Operator, values: tuple[str, ...], where: str) -> None:
    with pytest.raises(Invalid) as caught:
        compile_criterion(Criterion(1, field, operator, values), FIELDS[field])
    assert caught.value.field == (where,)
