"""Which column of a file fills which field.

Salesforce's names are recognised, those of its API (BillingPostalCode) and of its reports ("Billing Zip/Postal Code"),
as are labels and developer names of custom fields. A mapping file, JSON or TOML, overrides them:

    {"columns": {"Kunde": "name", "Segment": "custom.Segment", "Notes": ""}, "dates": "DMY", "decimal": ",",
     "encoding": "latin-1", "separator": ";"}
"""

import re
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from etm_graph.core.errors import Invalid
from etm_graph.features.exchange.service import values
from etm_graph.features.exchange.service.values import DateOrder, Habits

Parser = Callable[[str, Habits], object]


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field that a file may fill.

    names: the columns that fill it unless a mapping says otherwise, best first, in letters and digits only.
    required: neither the column nor a value in it may be missing.
    """

    name: str
    names: tuple[str, ...]
    parse: Parser = values.parse_text
    required: bool = False


@dataclass(frozen=True, slots=True)
class FileMapping:
    """What a mapping file says. columns: column name to field name, "" to leave the column out."""

    columns: Mapping[str, str] = field(default_factory=dict)
    habits: Habits = field(default_factory=Habits)
    encoding: str | None = None
    separator: str | None = None


def _spec(name: str, names: str, parse: Parser = values.parse_text, *, required: bool = False) -> FieldSpec:
    return FieldSpec(name, tuple(names.split()), parse, required)


_OWNER = _spec(
    "owner",
    "ownerusername owneremail accountowneremail opportunityowneremail accountowner opportunityowner ownername owner ownerid",
)
_CURRENCY = _spec(
    "currency",
    "currencyisocode accountcurrency opportunitycurrency amountcurrency annualrevenuecurrency currency",
    values.parse_currency,
)

ACCOUNT: Sequence[FieldSpec] = (
    _spec("external_id", "id accountid externalid accountid18", values.parse_id, required=True),
    _spec("name", "name accountname", required=True),
    _OWNER,
    _spec("parent", "parentid parentaccountid", values.parse_id),
    _spec("billing_street", "billingstreet billingaddressline1 street"),
    _spec("billing_city", "billingcity city"),
    _spec("billing_postal_code", "billingpostalcode billingzippostalcode billingzip postalcode zip"),
    _spec("billing_state", "billingstatecode billingstate billingstateprovince billingstateprovincetextonly state"),
    _spec("billing_country", "billingcountrycode billingcountry billingcountrytextonly country"),
    _spec("industry", "industry naicscode"),
    _spec("annual_revenue", "annualrevenue revenue", values.parse_money),
    _CURRENCY,
    _spec("employees", "numberofemployees employees", values.parse_integer),
    _spec("type", "type accounttype"),
    _spec("latitude", "billinglatitude latitude", values.parse_degrees(90)),
    _spec("longitude", "billinglongitude longitude", values.parse_degrees(180)),
    _spec("excluded_from_realignment", "isexcludedfromrealign excludedfromrealignment", values.parse_boolean),
)

OPPORTUNITY: Sequence[FieldSpec] = (
    _spec("external_id", "id opportunityid externalid opportunityid18", values.parse_id, required=True),
    _spec("account", "accountid accountexternalid", values.parse_id),
    _spec("account_name", "accountname account"),
    _spec("name", "name opportunityname", required=True),
    _OWNER,
    _spec("stage", "stagename stage", required=True),
    _spec("amount", "amount", values.parse_money),
    _CURRENCY,
    _spec("quantity", "totalopportunityquantity quantity", values.parse_number),
    _spec("close_date", "closedate", values.parse_date, required=True),
    _spec("probability", "probability probabilitypercent", values.parse_percent),
    _spec("forecast_category", "forecastcategory forecastcategoryname", values.parse_category),
    _spec("product_family", "productfamily"),
    _spec(
        "excluded_from_territory_assignment",
        "isexcludedfromterritory2filter excludedfromterritoryassignment excludefromterritoryassignment",
        values.parse_boolean,
    ),
)

USER: Sequence[FieldSpec] = (
    _spec("user_name", "username", required=True),
    _spec("name", "name fullname"),
    _spec("first_name", "firstname"),
    _spec("last_name", "lastname"),
    _spec("email", "email", required=True),
    _spec("manager", "managerusername manager"),
    _spec("time_zone", "timezonesidkey timezone"),
    _spec("locale", "localesidkey locale languagelocalekey"),
    _spec("active", "isactive active", values.parse_boolean),
)


@dataclass(frozen=True, slots=True)
class Bound:
    """A column and the field that it fills."""

    column: str
    spec: FieldSpec


def letters(name: str) -> str:
    """A name in lower-case letters and digits only, so that "Billing City" and BillingCity are the same."""
    return re.sub(r"[\W_]", "", name).lower()


def bind(
    columns: Sequence[str], specs: Sequence[FieldSpec], custom: Mapping[str, FieldSpec], wanted: FileMapping
) -> list[Bound]:
    """The columns that fill fields, in the order of the file.

    custom: specs of custom fields by column name in letters. Raises `Invalid` for a mapping of columns or fields that are
    not there, two columns for one field, or a required field without a column.
    """
    fields = {spec.name: spec for spec in (*specs, *custom.values())}
    _check_mapping(columns, fields, wanted)
    given = {column: fields[name] for column, name in wanted.columns.items() if name}
    taken = {spec.name for spec in given.values()}
    plain = {letters(column): column for column in reversed(columns) if column and column not in wanted.columns}
    for spec in specs:
        found = next((plain[name] for name in spec.names if name in plain), None)
        if spec.name not in taken and found is not None:
            given.setdefault(found, spec)
    for name, spec in custom.items():
        if name in plain and spec.name not in {bound.name for bound in given.values()}:
            given.setdefault(plain[name], spec)
    missing = [spec for spec in specs if spec.required and spec not in given.values()]
    if missing:
        listed = "; ".join(f"{spec.name} (such as {spec.names[0]})" for spec in missing)
        raise Invalid(f"No column of the file fills {listed}; name it in the mapping file.", field=["mapping"])
    return [Bound(column, given[column]) for column in columns if column in given]


def _check_mapping(columns: Collection[str], fields: Mapping[str, FieldSpec], wanted: FileMapping) -> None:
    for column, name in wanted.columns.items():
        if column not in columns:
            raise Invalid(f"The mapping names the column {column!r}, which the file does not have.", field=["mapping"])
        if name and name not in fields:
            raise Invalid(f"{name!r} is no field; one of {', '.join(fields)}.", field=["mapping"])
    targets = [name for name in wanted.columns.values() if name]
    twice = sorted({name for name in targets if targets.count(name) > 1})
    if twice:
        raise Invalid(f"The mapping fills {', '.join(twice)} from more than one column.", field=["mapping"])


def load_mapping(path: Path | None) -> FileMapping:
    """The mapping of a JSON or TOML file; that of None is empty. Raises `Invalid`."""
    if path is None:
        return FileMapping()
    try:
        text = path.read_text(encoding="utf-8")
        given = tomllib.loads(text) if path.suffix == ".toml" else orjson.loads(text)
    except (OSError, UnicodeError, tomllib.TOMLDecodeError, orjson.JSONDecodeError) as error:
        raise Invalid(f"The mapping {path.name} cannot be read: {error}.", field=["mapping"]) from error
    return make_mapping(given)


def make_mapping(given: object) -> FileMapping:
    """The mapping of the content of a mapping file. Raises `Invalid`."""
    if not isinstance(given, dict):
        raise Invalid("A mapping is an object with the member columns.", field=["mapping"])
    unknown = set(given) - {"columns", "dates", "decimal", "encoding", "separator"}
    columns = given.get("columns", {})
    texts = {name: given.get(name) for name in ("dates", "decimal", "encoding", "separator")}
    if unknown:
        raise Invalid(f"A mapping has no member {', '.join(sorted(unknown))}.", field=["mapping"])
    if not isinstance(columns, dict) or not all(isinstance(name, str) for name in columns.values()):
        raise Invalid("The columns of a mapping are an object from column names to field names.", field=["mapping"])
    if texts["dates"] not in {None, *DateOrder} or texts["decimal"] not in {None, ".", ","}:
        raise Invalid("dates is MDY or DMY, decimal is . or , in a mapping.", field=["mapping"])
    if texts["separator"] is not None and len(str(texts["separator"])) != 1:
        raise Invalid("The separator of a mapping is one character.", field=["mapping"])
    dates = None if texts["dates"] is None else DateOrder(str(texts["dates"]))
    return FileMapping(columns, Habits(dates, texts["decimal"]), texts["encoding"], texts["separator"])
