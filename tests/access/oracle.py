"""The policy a second time, written by hand as plain conditions: what policies/policy.csv is checked against."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet

from etm_graph.core.access import Act, Kind, Role, StateGroup

K, A, S = Kind, Act, StateGroup

OUTSIDE = {K.CRM, K.ORGANISATION, K.POLICY, K.AUDIT, K.JOB}
STRUCTURE = {K.MODEL, K.TERRITORY, K.RULE, K.MEMBERSHIP, K.ASSIGNMENT}
MONEY_IN_MODELS = {K.MODEL, K.ASSIGNMENT, K.REPORT, K.FORECAST}
LASTING = {A.READ, A.READ_MONEY, A.CLONE, A.RESTORE, A.EXPORT}
EDIT = {A.CREATE, A.UPDATE, A.DELETE}


def reads_active(kind: Kind, state: StateGroup, act: Act) -> bool:
    shown = STRUCTURE | {K.REPORT, K.THREAD, K.FORECAST, K.CRM, K.ORGANISATION}
    return act is A.READ and state is S.ACTIVE and kind in shown


def discusses(kind: Kind, act: Act, own: bool, *, resolves: bool = True) -> bool:
    if kind is not K.THREAD:
        return False
    if act is A.RESOLVE:
        return resolves
    return act in {A.CREATE, A.COMMENT} or (own and act in {A.UPDATE, A.DELETE})


def edits_structure(kind: Kind, act: Act) -> bool:
    if kind in {K.TERRITORY, K.RULE, K.MEMBERSHIP, K.ASSIGNMENT} and act in EDIT:
        return True
    return kind is K.TERRITORY and act is A.MOVE


def own_keys(kind: Kind, act: Act, own: bool) -> bool:
    return kind is K.POLICY and act in EDIT and own


def viewer(kind: Kind, state: StateGroup, act: Act, own: bool) -> bool:
    return reads_active(kind, state, act)


def rep(kind: Kind, state: StateGroup, act: Act, own: bool) -> bool:
    return reads_active(kind, state, act) or (state is S.ACTIVE and discusses(kind, act, own))


def planner(kind: Kind, state: StateGroup, act: Act, own: bool) -> bool:
    if kind in OUTSIDE:
        read = act is A.READ and kind in {K.CRM, K.ORGANISATION, K.JOB}
        return state is S.ACTIVE and (read or (kind is K.CRM and act is A.READ_MONEY) or own_keys(kind, act, own))
    if act in LASTING:
        return {
            A.READ: kind is not K.EXPORT,
            A.READ_MONEY: kind in MONEY_IN_MODELS and state in {S.PLANNING, S.ACTIVE},
            A.EXPORT: kind in {K.REPORT, K.EXPORT} and state is not S.TRANSITION,
            A.CLONE: kind is K.MODEL and state is not S.TRANSITION,
            A.RESTORE: False,
        }[act]
    if state is S.PLANNING:
        drafts = kind is K.MODEL and (act in {A.CREATE, A.UPDATE, A.SUBMIT, A.RUN} or (act is A.DELETE and own))
        reviews = kind is K.REVIEW and act in {A.CREATE, A.SUBMIT}
        quotas = kind is K.FORECAST and act in EDIT
        return quotas or drafts or reviews or edits_structure(kind, act) or discusses(kind, act, own)
    return state is S.ACTIVE and discusses(kind, act, own)


def manager(kind: Kind, state: StateGroup, act: Act, own: bool) -> bool:
    if state is S.PLANNING:
        reads = act is A.READ and kind in STRUCTURE | {K.THREAD, K.REVIEW}
        return reads or (kind is K.REVIEW and act is A.APPROVE) or discusses(kind, act, own)
    if state is not S.ACTIVE:
        return False
    return (
        reads_active(kind, state, act)
        or (kind is K.JOB and act is A.READ)
        or (kind in {K.CRM, K.FORECAST, K.REPORT, K.ASSIGNMENT} and act is A.READ_MONEY)
        or (kind in {K.MEMBERSHIP, K.ASSIGNMENT} and act in EDIT)
        or (kind is K.FORECAST and act in {A.ADJUST, A.SUBMIT})
        or (kind in {K.REPORT, K.EXPORT} and act is A.EXPORT)
        or (kind is K.POLICY and act is A.GRANT)
        or own_keys(kind, act, own)
        or discusses(kind, act, own)
    )


def forecaster(kind: Kind, state: StateGroup, act: Act, own: bool) -> bool:
    return state is S.ACTIVE and (
        reads_active(kind, state, act)
        or (kind in {K.CRM, K.FORECAST, K.REPORT} and act is A.READ_MONEY)
        or (kind is K.FORECAST and act in {A.ADJUST, A.SUBMIT, A.EXPORT})
        or own_keys(kind, act, own)
        or discusses(kind, act, own, resolves=False)
    )


def forecast_reader(kind: Kind, state: StateGroup, act: Act, own: bool) -> bool:
    reads = act is A.READ and kind in {K.MODEL, K.TERRITORY, K.FORECAST, K.ORGANISATION}
    tool = (kind is K.FORECAST and act in {A.READ_MONEY, A.EXPORT}) or (kind is K.EXPORT and act is A.EXPORT)
    return state is S.ACTIVE and (reads or tool)


ADMIN_OUTSIDE = {
    K.CRM: {A.READ, A.READ_MONEY, *EDIT},
    K.ORGANISATION: {A.READ, A.GRANT, *EDIT},
    K.JOB: {A.READ, A.RUN, A.DELETE},
    K.POLICY: {A.READ, A.GRANT, *EDIT},
    K.AUDIT: {A.READ},
}
ADMIN_MODEL = {
    S.PLANNING: {A.CREATE, A.UPDATE, A.DELETE, A.SUBMIT, A.RUN, A.CLONE, A.ACTIVATE},
    S.ACTIVE: {A.RUN, A.ARCHIVE, A.CLONE},
    S.ARCHIVED: {A.RESTORE, A.CLONE},
    S.TRANSITION: {A.ACTIVATE, A.ARCHIVE, A.DELETE},
}


def administers(kind: Kind, state: StateGroup, act: Act, own: bool) -> bool:
    """What an administrator changes in a model, one kind after the other."""
    rules: dict[Kind, bool] = {
        K.MODEL: act in ADMIN_MODEL[state],
        K.THREAD: state is not S.ARCHIVED and (act is A.DELETE or discusses(kind, act, own)),
        K.FORECAST: (state is S.ACTIVE and act in {A.ADJUST, A.SUBMIT})
        or (state in {S.PLANNING, S.ACTIVE} and act in EDIT),
        K.REVIEW: state is S.PLANNING and act in {A.CREATE, A.SUBMIT, A.APPROVE},
    }
    operates = state is S.ACTIVE and kind in {K.MEMBERSHIP, K.ASSIGNMENT} and act in EDIT
    return rules.get(kind, operates or (state is S.PLANNING and edits_structure(kind, act)))


def admin(kind: Kind, state: StateGroup, act: Act, own: bool) -> bool:
    if kind in OUTSIDE:
        return state is S.ACTIVE and act in ADMIN_OUTSIDE[kind]
    if act is A.READ:
        return True
    if act is A.READ_MONEY:
        return kind in MONEY_IN_MODELS
    if act is A.EXPORT:
        return kind in {K.REPORT, K.EXPORT, K.FORECAST}
    return administers(kind, state, act, own)


def auditor(kind: Kind, state: StateGroup, act: Act, own: bool) -> bool:
    if act is A.READ:
        return kind not in OUTSIDE or state is S.ACTIVE
    exports = act is A.EXPORT and kind in {K.AUDIT, K.REPORT, K.EXPORT}
    return state is S.ACTIVE and (exports or own_keys(kind, act, own))


RULES: dict[Role, Callable[[Kind, StateGroup, Act, bool], bool]] = {
    Role.VIEWER: viewer,
    Role.REP: rep,
    Role.PLANNER: planner,
    Role.MANAGER: manager,
    Role.FORECASTER: forecaster,
    Role.FORECAST_READER: forecast_reader,
    Role.ADMIN: admin,
    Role.AUDITOR: auditor,
}


def allowed(roles: AbstractSet[Role], kind: Kind, state: StateGroup, act: Act, own: bool) -> bool:
    if state is S.ARCHIVED and kind not in OUTSIDE and act not in LASTING:
        return False
    return any(RULES[role](kind, state, act, own) for role in roles)
