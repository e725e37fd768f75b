"""A typed client of forecasts in Python: `pip install httpx polars`; needs an API key of a forecast reader."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import httpx

GRID = """query($periods: [String!]!) { activeTerritoryModel { id forecast(periods: $periods) { cells {
  period start end territory { path name } opportunityCount
  rolledUp { openPipeline commitForecast closed } adjusted { commitForecast } quota { amount } attainment } } } }"""
EXPORT = """mutation($model: ID!, $format: ExportFormat!, $periods: [String!]!) {
  bulkExport(input: {modelId: $model, format: $format, periods: $periods}) { job { id } userErrors { code message } } }"""
JOB = "query($id: ID!) { job(id: $id) { state error file { url rows } } }"


@dataclass(frozen=True)
class Cell:
    """A territory in a period; amounts in corporate currency, None where they are hidden."""

    path: str
    name: str
    period: str
    start: date
    end: date
    opportunities: int
    open_pipeline: Decimal | None
    commit_forecast: Decimal | None
    adjusted_commit: Decimal | None
    closed: Decimal | None
    quota: Decimal | None
    attainment: Decimal | None


def _decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


class ForecastClient:
    """Reads forecasts. url: of the server, such as http://127.0.0.1:8000. key: an API key."""

    def __init__(self, url: str, key: str) -> None:
        self._http = httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=60)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """The data of an answer; raises `RuntimeError` with the first error's message."""
        answer = self._http.post("/graphql", json={"query": query, "variables": variables}).json()
        if answer.get("errors"):
            raise RuntimeError(answer["errors"][0]["message"])
        data: dict[str, Any] = answer["data"]
        return data

    def grid(self, *periods: str) -> Iterator[Cell]:
        """The active model's forecast in one request, in tree order."""
        model = self.ask(GRID, periods=periods)["activeTerritoryModel"]
        for cell in model["forecast"]["cells"]:
            yield Cell(
                path=cell["territory"]["path"],
                name=cell["territory"]["name"],
                period=cell["period"],
                start=date.fromisoformat(cell["start"]),
                end=date.fromisoformat(cell["end"]),
                opportunities=cell["opportunityCount"],
                open_pipeline=_decimal(cell["rolledUp"]["openPipeline"]),
                commit_forecast=_decimal(cell["rolledUp"]["commitForecast"]),
                adjusted_commit=_decimal(cell["adjusted"]["commitForecast"]),
                closed=_decimal(cell["rolledUp"]["closed"]),
                quota=None if cell["quota"] is None else _decimal(cell["quota"]["amount"]),
                attainment=_decimal(cell["attainment"]),
            )

    def export(self, *periods: str, kind: str = "PARQUET", patience_s: float = 300) -> bytes:
        """The active model's forecast as a file, written by a job and fetched by its signed link."""
        model = self.ask("{ activeTerritoryModel { id } }")["activeTerritoryModel"]["id"]
        started = self.ask(EXPORT, model=model, format=kind, periods=periods)["bulkExport"]
        if started["userErrors"]:
            raise RuntimeError(started["userErrors"][0]["message"])
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            job = self.ask(JOB, id=started["job"]["id"])["job"]
            if job["file"] is not None:
                return self._http.get(job["file"]["url"]).raise_for_status().content
            if job["state"] == "FAILED":
                raise RuntimeError(job["error"])
            time.sleep(0.2)
        raise TimeoutError("the export takes longer than that")
