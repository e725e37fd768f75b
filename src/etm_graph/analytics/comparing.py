"""What two standings of the same accounts and opportunities differ in, column-wise.

A place is a territory, by a number that both standings have for its developer name.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import polars as pl

PAIRS = {"object_id": pl.Int64, "place": pl.Int32}
HANDS = {"opportunity_id": pl.Int64, "place": pl.Int32}
MEMBERS = {"user_name": pl.String, "place": pl.Int32}
DEALS = {"opportunity_id": pl.Int64, "account_id": pl.Int64, "amount": pl.Float64, "is_open": pl.Boolean}

GAINED, LOST, MOVED = "GAINED", "LOST", "MOVED"

_PAIR = ["object_id", "place"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Who has what in one model.

    pairs: object_id, place; each pair once. hands: opportunity_id, place; opportunities without a territory are absent.
    members: user_name, place.
    """

    pairs: pl.DataFrame
    hands: pl.DataFrame
    members: pl.DataFrame

    def within(self, places: Collection[int]) -> "Standing":
        """The part of it that is in these places."""
        kept = pl.col("place").is_in(pl.Series(sorted(places), dtype=pl.Int32).implode())
        return Standing(self.pairs.filter(kept), self.hands.filter(kept), self.members.filter(kept))

    def of_account(self, object_id: int, deals: pl.DataFrame) -> "Standing":
        """The part of it that is about one account; deals: opportunity_id, account_id."""
        own = deals.filter(pl.col("account_id") == object_id).select("opportunity_id")
        pairs = self.pairs.filter(pl.col("object_id") == object_id)
        return Standing(pairs, self.hands.join(own, on="opportunity_id", how="semi"), self.members)

    def of_user(self, user_name: str) -> "Standing":
        """The part of it that a user has as a member."""
        return self.within(self.members.filter(pl.col("user_name") == user_name)["place"].unique().to_list())


@dataclass(frozen=True, slots=True)
class Totals:
    """What a comparison sums up to. Amounts are in corporate currency; pipeline is of open opportunities.

    accounts_…: accounts with any territory. moved: those that have one in both, but not the same ones.
    """

    accounts_before: int
    accounts_after: int
    accounts_gained: int
    accounts_lost: int
    accounts_moved: int
    assignments_before: int
    assignments_after: int
    territories_changed: int
    opportunities_moved: int
    revenue_gained: float
    revenue_lost: float
    revenue_moved: float
    pipeline_before: float
    pipeline_after: float
    pipeline_moved: float


@dataclass(frozen=True)
class Effect:
    """What differs between two standings.

    revenue: object_id, revenue. deals: opportunity_id, account_id, amount, is_open.
    """

    base: Standing
    other: Standing
    revenue: pl.DataFrame
    deals: pl.DataFrame

    @cached_property
    def gained(self) -> pl.DataFrame:
        """Pairs of the other that the base has not."""
        return self.other.pairs.join(self.base.pairs, on=_PAIR, how="anti")

    @cached_property
    def lost(self) -> pl.DataFrame:
        """Pairs of the base that the other has not."""
        return self.base.pairs.join(self.other.pairs, on=_PAIR, how="anti")

    @cached_property
    def opportunities(self) -> pl.DataFrame:
        """Opportunities that change hands: opportunity_id, account_id, amount, is_open, before, after (places)."""
        before = self.base.hands.rename({"place": "before"})
        after = self.other.hands.rename({"place": "after"})
        both = before.join(after, on="opportunity_id", how="full", coalesce=True)
        changed = both.filter(pl.col("before").ne_missing(pl.col("after")))
        return changed.join(self.deals, on="opportunity_id").sort("opportunity_id")

    @cached_property
    def accounts(self) -> pl.DataFrame:
        """Accounts whose territories differ: object_id, kind, before, after (lists of places), revenue."""
        touched = pl.concat([self.gained, self.lost]).select("object_id").unique()
        sides = [
            standing.pairs.join(touched, on="object_id", how="semi")
            .group_by("object_id")
            .agg(pl.col("place").sort().alias(name))
            for standing, name in ((self.base, "before"), (self.other, "after"))
        ]
        none = pl.lit([], dtype=pl.List(pl.Int32))
        joined = touched.join(sides[0], on="object_id", how="left").join(sides[1], on="object_id", how="left")
        kind = (
            pl.when(pl.col("before").is_null())
            .then(pl.lit(GAINED))
            .when(pl.col("after").is_null())
            .then(pl.lit(LOST))
            .otherwise(pl.lit(MOVED))
        )
        return (
            joined.with_columns(kind.alias("kind"))
            .with_columns(pl.col("before").fill_null(none), pl.col("after").fill_null(none))
            .join(self.revenue, on="object_id", how="left")
            .with_columns(pl.col("revenue").fill_null(0))
            .sort("object_id")
        )

    def _accounts_by(self, pairs: pl.DataFrame, key: str, suffix: str) -> pl.DataFrame:
        return (
            pairs.join(self.revenue, on="object_id", how="left")
            .group_by(key)
            .agg(pl.len().alias(f"accounts_{suffix}"), pl.col("revenue").sum().alias(f"revenue_{suffix}"))
        )

    def _deals_by(self, hands: pl.DataFrame, key: str, suffix: str) -> pl.DataFrame:
        return (
            hands.join(self.deals, on="opportunity_id")
            .group_by(key)
            .agg(
                pl.len().alias(f"opportunities_{suffix}"),
                pl.col("amount").filter("is_open").sum().alias(f"pipeline_{suffix}"),
            )
        )

    @cached_property
    def territories(self) -> pl.DataFrame:
        """`MEASURES` of every place with anything in either, by place."""
        moved = self.opportunities
        came = moved.drop_nulls("after").select("opportunity_id", pl.col("after").alias("place"))
        went = moved.drop_nulls("before").select("opportunity_id", pl.col("before").alias("place"))
        return _joined(
            "place",
            [
                self._accounts_by(self.base.pairs, "place", "before"),
                self._accounts_by(self.other.pairs, "place", "after"),
                self._accounts_by(self.gained, "place", "gained"),
                self._accounts_by(self.lost, "place", "lost"),
                self._deals_by(self.base.hands, "place", "before"),
                self._deals_by(self.other.hands, "place", "after"),
                self._deals_by(came, "place", "gained"),
                self._deals_by(went, "place", "lost"),
            ],
        )

    @cached_property
    def users(self) -> pl.DataFrame:
        """`MEASURES` of every member, by user name; what is in several of a member's places counts once."""
        reached, held = [], []
        for standing in (self.base, self.other):
            reached.append(standing.members.join(standing.pairs, on="place").select("user_name", "object_id").unique())
            held.append(
                standing.members.join(standing.hands, on="place").select("user_name", "opportunity_id").unique()
            )
        account, deal = ["user_name", "object_id"], ["user_name", "opportunity_id"]
        return _joined(
            "user_name",
            [
                self._accounts_by(reached[0], "user_name", "before"),
                self._accounts_by(reached[1], "user_name", "after"),
                self._accounts_by(reached[1].join(reached[0], on=account, how="anti"), "user_name", "gained"),
                self._accounts_by(reached[0].join(reached[1], on=account, how="anti"), "user_name", "lost"),
                self._deals_by(held[0], "user_name", "before"),
                self._deals_by(held[1], "user_name", "after"),
                self._deals_by(held[1].join(held[0], on=deal, how="anti"), "user_name", "gained"),
                self._deals_by(held[0].join(held[1], on=deal, how="anti"), "user_name", "lost"),
            ],
        )

    @cached_property
    def totals(self) -> Totals:
        """All of it in numbers."""
        kinds = {
            str(row[0]): (int(row[1]), float(row[2]))
            for row in self.accounts.group_by("kind").agg(pl.len(), pl.col("revenue").sum()).iter_rows()
        }
        gained, lost, moved = (kinds.get(kind, (0, 0.0)) for kind in (GAINED, LOST, MOVED))
        by_place = self.territories
        deals = self.opportunities
        return Totals(
            accounts_before=self.base.pairs["object_id"].n_unique(),
            accounts_after=self.other.pairs["object_id"].n_unique(),
            accounts_gained=gained[0],
            accounts_lost=lost[0],
            accounts_moved=moved[0],
            assignments_before=self.base.pairs.height,
            assignments_after=self.other.pairs.height,
            territories_changed=changed(by_place).height,
            opportunities_moved=deals.height,
            revenue_gained=gained[1],
            revenue_lost=lost[1],
            revenue_moved=moved[1],
            pipeline_before=float(by_place["pipeline_before"].sum()),
            pipeline_after=float(by_place["pipeline_after"].sum()),
            pipeline_moved=float(deals.filter("is_open")["amount"].sum()),
        )


MEASURES = tuple(
    f"{what}_{when}"
    for what in ("accounts", "revenue", "opportunities", "pipeline")
    for when in ("before", "after", "gained", "lost")
)
"""Accounts and their revenue a year, opportunities and the amounts of the open ones: before, after, and the way there."""


def _joined(key: str, parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Parts side by side, by key; what a part has not is nothing."""
    keys = pl.concat([part.select(key) for part in parts]).unique()
    for part in parts:
        keys = keys.join(part, on=key, how="left")
    return keys.select(key, pl.col(MEASURES).fill_null(0)).sort(key)


def changed(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of `territories` or `users` in which anything comes or goes."""
    return frame.filter(
        pl.any_horizontal([pl.col(name) != 0 for name in MEASURES if name.endswith(("gained", "lost"))])
    )
