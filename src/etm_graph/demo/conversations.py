"""What the demo's people say to each other about the plans."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Conversation:
    """A thread. territory: the developer name it hangs on, or None for the model. says: (user name, text) in order."""

    model: str
    territory: str | None
    subject: str
    says: tuple[tuple[str, str], ...]
    resolved: bool = False


CONVERSATIONS = (
    Conversation(
        "FY2027_plan",
        "US_MO",
        "Missouri under the Southwest?",
        (
            ("planner", "St. Louis customers buy with Oklahoma and Arkansas. I moved the area to see what it does."),
            ("manager2", "The Midwest loses its second largest pipeline then. Who takes over the open renewals?"),
            ("planner", "The reps stay the same people, only the region changes. See the sums of both regions."),
        ),
    ),
    Conversation(
        "FY2027_plan",
        "Key",
        "Threshold for key accounts",
        (
            ("planner2", "150 million instead of 250 gives us about twice as many key accounts."),
            ("admin", "Fine for me if each key account manager stays below 60."),
            ("planner2", "Checked: the largest has 48."),
        ),
        resolved=True,
    ),
    Conversation(
        "FY2027_plan",
        None,
        "When do we activate?",
        (
            ("admin", "Target is the first working day of January. Please settle open threads by mid December."),
            ("manager", "Quotas first, please."),
        ),
    ),
    Conversation(
        "FY2027_alternative",
        "CA",
        "Atlantic Canada without Newfoundland",
        (
            ("planner3", "Newfoundland has so few accounts that I would serve it from Halifax."),
            ("manager4", "Agreed, but then the accounts fall back to the country. Should Nova Scotia take them?"),
        ),
    ),
    Conversation(
        "FY2026",
        "US_CO",
        "Denver split",
        (
            ("rep", "Two of us call the same firms downtown."),
            ("manager2", "Postal codes 802 are one territory since January; tell me which accounts."),
        ),
        resolved=True,
    ),
)
