"""The organisation's settings and exchange rates in GraphQL."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import strawberry
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.core.calendar import PeriodKind
from etm_graph.features.crm import queries, service
from etm_graph.features.crm.schema.inputs import KEY, UNSET, VERSION
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.inputs import given
from etm_graph.graphql.mutations import UserError, mutate
from etm_graph.graphql.scalars import BigInt

ContextInfo = Info[Context, None]


@strawberry.type(description="What a currency is worth from a date on.")
@needs(Act.READ, Kind.ORGANISATION)
class ExchangeRate:
    """A row of exchange_rate."""

    currency: str = strawberry.field(description="ISO 4217.")
    effective_from: date = strawberry.field(description="First day on which the rate holds.")
    rate: Decimal = strawberry.field(description="Corporate currency for one unit.")
    version: BigInt = strawberry.field(description="Goes up with every change; send it as `expectedVersion`.")


@strawberry.type(description="A currency that records have amounts in and that cannot be converted.")
@needs(Act.READ, Kind.ORGANISATION)
class UnratedCurrency:
    """A currency without an exchange rate."""

    currency: str = strawberry.field(description="ISO 4217.")
    accounts: int = strawberry.field(description="How many accounts have revenue in it.")
    opportunities: int = strawberry.field(
        description="How many opportunities have amounts in it; forecasts count them and add nothing."
    )


async def _rates(organisations: "Sequence[Organisation]", context: Context) -> list[list[ExchangeRate]]:
    rows = await queries.list_exchange_rates(await context.session())
    rates = [
        ExchangeRate(
            currency=row.currency, effective_from=row.effective_from, rate=row.rate, version=BigInt(row.version)
        )
        for row in rows
    ]
    return [rates for _ in organisations]


async def _unrated(organisations: "Sequence[Organisation]", context: Context) -> list[list[UnratedCurrency]]:
    readable = context.viewer.may(Act.READ, Kind.CRM)
    rows = await queries.currencies_without_rate(await context.session()) if readable else []
    found = [
        UnratedCurrency(currency=row.currency, accounts=row.accounts, opportunities=row.opportunities) for row in rows
    ]
    return [found for _ in organisations]


async def _families(organisations: "Sequence[Organisation]", context: Context) -> list[list[str]]:
    readable = context.viewer.may(Act.READ, Kind.CRM)
    found = list(await queries.product_families(await context.session())) if readable else []
    return [found for _ in organisations]


@strawberry.type(description="The one organisation of this installation.")
@needs(Act.READ, Kind.ORGANISATION)
class Organisation:
    """A row of organisation."""

    name: str = strawberry.field(description="Its name.")
    corporate_currency: str = strawberry.field(description="The currency that amounts are added up in, ISO 4217.")
    fiscal_year_start_month: int = strawberry.field(description="1 for January to 12 for December.")
    time_zone: str = strawberry.field(description="IANA time zone in which its days begin and end.")
    adjustment_period: PeriodKind = strawberry.field(description="The kind of period that forecasts are adjusted by.")
    version: BigInt = strawberry.field(description="Goes up with every change; send it as `expectedVersion`.")
    exchange_rates: list[ExchangeRate] = batched(_rates, description="Dated rates, by currency and date.")
    currencies_without_rate: list[UnratedCurrency] = batched(
        _unrated, description="Currencies of records that have no exchange rate."
    )
    product_families: list[str] = batched(_families, description="Every product family that an opportunity names.")


async def load_organisation(context: Context) -> Organisation:
    """The organisation as it is. Raises `Forbidden`."""
    context.viewer.require(Act.READ, Kind.ORGANISATION)
    row = await queries.organisation_of(await context.session())
    return Organisation(
        name=row.name,
        corporate_currency=row.corporate_currency,
        fiscal_year_start_month=row.fiscal_year_start_month,
        time_zone=row.time_zone,
        adjustment_period=PeriodKind(row.adjustment_period),
        version=BigInt(row.version),
    )


@strawberry.input(description="Changes of the organisation's settings; what is left out stays.")
class OrganisationUpdateInput:
    """Input of organisationUpdate."""

    expected_version: BigInt = strawberry.field(description=VERSION)
    name: str | None = strawberry.field(default=UNSET, description="Its name.")
    time_zone: str | None = strawberry.field(default=UNSET, description="IANA time zone.")
    fiscal_year_start_month: int | None = strawberry.field(
        default=UNSET, description="1 for January to 12; refused while anything is kept by the present periods."
    )
    adjustment_period: PeriodKind | None = strawberry.field(
        default=UNSET, description="MONTH or QUARTER; refused while there are adjustments."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="A new dated rate.")
class ExchangeRateCreateInput:
    """Input of exchangeRateCreate."""

    currency: str = strawberry.field(description="ISO 4217, three capital letters.")
    effective_from: date = strawberry.field(description="First day on which the rate holds.")
    rate: Decimal = strawberry.field(description="Corporate currency for one unit, above 0.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="Another value of a dated rate.")
class ExchangeRateUpdateInput:
    """Input of exchangeRateUpdate."""

    currency: str = strawberry.field(description="ISO 4217.")
    effective_from: date = strawberry.field(description="First day on which the rate holds.")
    rate: Decimal = strawberry.field(description="Corporate currency for one unit, above 0.")
    expected_version: BigInt = strawberry.field(description=VERSION)
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="A dated rate to delete.")
class ExchangeRateDeleteInput:
    """Input of exchangeRateDelete."""

    currency: str = strawberry.field(description="ISO 4217.")
    effective_from: date = strawberry.field(description="First day on which the rate holds.")
    expected_version: BigInt = strawberry.field(description=VERSION)
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.type(description="What a mutation of the organisation did.")
@needs(Act.READ, Kind.ORGANISATION)
class OrganisationPayload:
    """The organisation with its rates, or errors."""

    organisation: Organisation | None = strawberry.field(description="The organisation as it is now.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type
class OrganisationMutation:
    """Root fields that change the organisation."""

    @strawberry.mutation(description="Change the organisation's settings and fiscal calendar.")
    @needs(Act.UPDATE, Kind.ORGANISATION)
    async def organisation_update(self, info: ContextInfo, input: OrganisationUpdateInput) -> OrganisationPayload:
        """Change settings."""
        values = given(input, "name", "time_zone", "fiscal_year_start_month", "adjustment_period")
        wanted = {name: value for name, value in values.items() if value is not None}
        if "adjustment_period" in wanted:
            wanted["adjustment_period"] = PeriodKind(str(wanted["adjustment_period"])).value
        outcome = await mutate(
            info.context, input, lambda work: service.update_organisation(work, input.expected_version, wanted)
        )
        return OrganisationPayload(organisation=await load_organisation(info.context), user_errors=outcome.errors)

    @strawberry.mutation(description="Add a dated exchange rate; amounts are converted anew at once.")
    @needs(Act.CREATE, Kind.ORGANISATION)
    async def exchange_rate_create(self, info: ContextInfo, input: ExchangeRateCreateInput) -> OrganisationPayload:
        """Add a rate."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.create_rate(work, input.currency, input.effective_from, input.rate),
        )
        return OrganisationPayload(organisation=await load_organisation(info.context), user_errors=outcome.errors)

    @strawberry.mutation(description="Change what a dated exchange rate is.")
    @needs(Act.UPDATE, Kind.ORGANISATION)
    async def exchange_rate_update(self, info: ContextInfo, input: ExchangeRateUpdateInput) -> OrganisationPayload:
        """Change a rate."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.update_rate(
                work, input.currency, input.effective_from, input.expected_version, input.rate
            ),
        )
        return OrganisationPayload(organisation=await load_organisation(info.context), user_errors=outcome.errors)

    @strawberry.mutation(description="Delete a dated exchange rate; the last of a currency in use is refused.")
    @needs(Act.DELETE, Kind.ORGANISATION)
    async def exchange_rate_delete(self, info: ContextInfo, input: ExchangeRateDeleteInput) -> OrganisationPayload:
        """Delete a rate."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.delete_rate(work, input.currency, input.effective_from, input.expected_version),
        )
        return OrganisationPayload(organisation=await load_organisation(info.context), user_errors=outcome.errors)
