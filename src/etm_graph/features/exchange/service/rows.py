"""From a row's text to a record: every cell parsed, the currency settled, errors by column."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from etm_graph.core.criteria import DataType
from etm_graph.core.rollup import ForecastCategory
from etm_graph.features.crm.service import custom_value
from etm_graph.features.exchange.service.mapping import Bound, FieldSpec, Parser, letters
from etm_graph.features.exchange.service.reading import RawRow, RowError
from etm_graph.features.exchange.service.values import (
    Habits,
    Money,
    parse_boolean,
    parse_date,
    parse_money,
    parse_number,
    settle_currency,
)

MONEY = ("annual_revenue", "amount")
STAGE_CATEGORIES = {"closed won": ForecastCategory.CLOSED.value, "closed lost": ForecastCategory.OMITTED.value}
"""What a stage means for forecasts when the file does not say; every other stage leaves it open."""


@dataclass(frozen=True, slots=True)
class Record:
    """A row whose cells are values. line: in the file. values: by field name; columns: who filled them, by field name."""

    line: int
    values: dict[str, Any]
    columns: Mapping[str, str]

    def error(self, field: str, reason: str) -> RowError:
        """An error of this record in the column that filled a field."""
        return RowError(self.line, self.columns.get(field), reason)


def custom_specs(fields: Sequence[Row[Any]], corporate: str) -> dict[str, FieldSpec]:
    """Specs of the custom fields of accounts by every column name, in letters, that is recognised for them."""
    specs: dict[str, FieldSpec] = {}
    for row in fields:
        if row.object_type != "ACCOUNT":
            continue
        name = f"custom.{row.developer_name}"
        spec = FieldSpec(name, (), _custom_parser(DataType(row.data_type), row.picklist_values, corporate))
        for column in (f"{row.developer_name}__c", row.developer_name, name, row.label):
            specs.setdefault(letters(column), spec)
    return specs


def _custom_parser(data_type: DataType, choices: list[str], corporate: str) -> Parser:
    def parse(text: str, habits: Habits) -> object:
        if data_type is DataType.NUMBER:
            return float(parse_number(text, habits))
        if data_type is DataType.CURRENCY:
            money = parse_money(text, habits)
            if settle_currency(money, corporate, corporate) != corporate:
                raise ValueError(f"the amount is not in {corporate}")
            return float(money.amount)
        if data_type is DataType.DATE:
            return parse_date(text, habits).isoformat()
        if data_type is DataType.BOOLEAN:
            return parse_boolean(text, habits)
        several = data_type is DataType.MULTI_PICKLIST
        return custom_value(data_type, choices, [part.strip() for part in text.split(";")] if several else [text])

    return parse


def parse_row(row: RawRow, bound: Sequence[Bound], habits: Habits) -> Record | list[RowError]:
    """The record of a row, or all that is wrong with it. Blank cells are None."""
    values: dict[str, Any] = {}
    errors: list[RowError] = []
    for column, spec in ((item.column, item.spec) for item in bound):
        text = row.cells[column]
        try:
            if not text and spec.required:
                raise ValueError("a value is needed")  # noqa: TRY301 - reported like any other
            values[spec.name] = spec.parse(text, habits) if text else None
        except ValueError as error:
            errors.append(RowError(row.line, column, str(error)))
    if errors:
        return errors
    return Record(row.line, values, {item.spec.name: item.column for item in bound})


def settle_money(record: Record, corporate: str, known: frozenset[str]) -> RowError | None:
    """Put the amount and its currency into the record; the error when they contradict each other or cannot be converted."""
    values = record.values
    field = next((name for name in MONEY if name in values), None)
    money = values[field] if field is not None else None
    if field is None and "currency" not in values:
        return None
    try:
        currency = settle_currency(money, values.get("currency"), corporate)
    except ValueError as error:
        return record.error(field or "currency", str(error))
    if currency not in known:
        culprit = "currency" if values.get("currency") else field or "currency"
        return record.error(culprit, f"there is no exchange rate for {currency}")
    if field is not None:
        values[field] = money.amount if isinstance(money, Money) else None
    values["currency"] = currency
    return None


def category_of(stage: str) -> str | None:
    """The forecast category that a stage decides, for files that have none."""
    return STAGE_CATEGORIES.get(re.sub(r"\s+", " ", stage).lower())
