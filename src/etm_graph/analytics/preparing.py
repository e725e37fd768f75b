"""Columns in the form in which criteria compare them, as core/criteria.py gives it to single values.

Text is folded, postal codes are keys, multi-picklists texts of sorted folded values. Numbers are 64-bit floats, which
tells apart all decimals of up to 15 significant digits.
"""

from collections.abc import Iterable

import polars as pl

from etm_graph.core.criteria import DataType, FieldDef

LATITUDE, LONGITUDE = "latitude", "longitude"
SEPARATOR = "\x1f"
"""Parts the values of a multi-picklist."""


def column_of(field: str) -> str:
    """The prepared column of a field."""
    return f"{field}:prepared"


def _folded(column: pl.Expr) -> pl.Expr:
    return column.str.normalize("NFKC").str.to_lowercase().str.normalize("NFKC")


def _prepared(field: FieldDef) -> pl.Expr:
    column = pl.col(field.name)
    if field.data_type in {DataType.TEXT, DataType.PICKLIST}:
        return _folded(column)
    if field.data_type is DataType.POSTAL_CODE:
        return _folded(column).str.replace_all(r"[\s\-]+", "")
    if field.data_type is DataType.MULTI_PICKLIST:
        items = column.list.eval(_folded(pl.element())).list.unique().list.sort()
        return pl.when(column.list.len() > 0).then(items.list.join(SEPARATOR))
    if field.data_type in {DataType.NUMBER, DataType.CURRENCY}:
        return column.cast(pl.Float64)
    if field.data_type is DataType.BOOLEAN:
        return column.cast(pl.Int8)
    return column


def prepare(frame: pl.DataFrame, fields: Iterable[FieldDef]) -> pl.DataFrame:
    """The frame with a prepared column for each field, those of a location apart, which is latitude and longitude."""
    made = [_prepared(field).alias(column_of(field.name)) for field in fields if field.data_type != DataType.LOCATION]
    return frame.with_columns(made)
