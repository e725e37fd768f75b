"""The vocabulary of access as GraphQL enums; whoever uses one of them in the schema takes it from here."""

from etm_graph.core.access import Act, Kind, Role, StateGroup
from etm_graph.graphql.enums import describe

__all__ = ["Act", "Kind", "Role", "StateGroup"]

describe(
    Role,
    "What a grant makes of a person or tool; policies/policy.csv says what each may do.",
    {
        "VIEWER": "Reads the active model.",
        "REP": "Reads the active model and takes part in its discussions.",
        "PLANNER": "Makes drafts and sees the money of what it plans.",
        "MANAGER": "Runs a branch of the active model, reviews drafts, may delegate within the branch.",
        "FORECASTER": "Adjusts and submits forecasts.",
        "FORECAST_READER": "A tool that reads forecasts.",
        "ADMIN": "Activates, archives, and administers users, settings and rights.",
        "AUDITOR": "Reads everything but money, and the audit.",
    },
)

describe(
    Act,
    "What is done; with a kind it is what the policy decides about.",
    {
        "READ": "See it.",
        "READ_MONEY": "See its amounts.",
        "CREATE": "Make one.",
        "UPDATE": "Change it.",
        "DELETE": "Delete it.",
        "MOVE": "Put it under another parent.",
        "RUN": "Compute assignments.",
        "CLONE": "Copy it into a draft.",
        "SUBMIT": "Hand it in.",
        "APPROVE": "Approve it, or ask for changes.",
        "ACTIVATE": "Put it in force.",
        "ARCHIVE": "Take it out of force.",
        "RESTORE": "Put it in force again.",
        "ADJUST": "Override amounts.",
        "COMMENT": "Comment on it.",
        "RESOLVE": "Settle its question.",
        "EXPORT": "Take it out of the system.",
        "GRANT": "Give rights.",
    },
)

describe(
    Kind,
    "What an act is done to.",
    {
        "MODEL": "A territory model.",
        "TERRITORY": "A territory.",
        "RULE": "An assignment rule.",
        "MEMBERSHIP": "A user's place in a territory.",
        "ASSIGNMENT": "An account's place in a territory.",
        "CRM": "Accounts, leads and opportunities.",
        "FORECAST": "Forecasts, quotas, adjustments.",
        "REPORT": "Reports.",
        "THREAD": "Threads and comments.",
        "REVIEW": "Reviews of drafts.",
        "JOB": "Long-running work.",
        "EXPORT": "Bulk exports.",
        "ORGANISATION": "Users and settings of the organisation.",
        "POLICY": "Grants, API keys, the policy.",
        "AUDIT": "The audit.",
    },
)

describe(
    StateGroup,
    "The group of model states that the policy distinguishes.",
    {
        "PLANNING": "Drafts.",
        "ACTIVE": "The model in force, and everything that belongs to no model.",
        "ARCHIVED": "Models that were in force.",
        "TRANSITION": "Between two states, or stuck there.",
    },
    name="ModelStateGroup",
)
