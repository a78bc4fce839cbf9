"""Configuration is money: what one person proposes is in force when another has confirmed it.

`change` is the call of pages: it proposes, or makes the change at once while DUAL_CONTROL is off. Each kind of thing
that can change is a `Subject` (subjects.py); who may do what stands in rules_of_two.py.
"""

from payouts.configuration import (
    client_subjects,
    erasure_subjects,
    login_subjects,
    people_subjects,
    route_subjects,
    rule_subjects,
    velocity_subjects,
)
from payouts.configuration.errors import ConfigurationError
from payouts.configuration.proposals import (
    EXPIRES_AFTER,
    Changed,
    apply_now,
    change,
    confirm,
    decline,
    open_about,
    open_proposals,
    propose,
    take_key,
    withdraw,
)
from payouts.configuration.rules_of_two import (
    confirmers,
    why_not_confirm,
    why_not_decline,
    why_not_propose,
    why_not_take,
    why_not_withdraw,
)
from payouts.configuration.subjects import Act, Content, Line, ModelSubject, Subject, register, subject, subjects
from payouts.configuration.velocity_subjects import let_go

__all__ = [
    "EXPIRES_AFTER",
    "Act",
    "Changed",
    "ConfigurationError",
    "Content",
    "Line",
    "ModelSubject",
    "Subject",
    "apply_now",
    "change",
    "client_subjects",
    "confirm",
    "confirmers",
    "decline",
    "erasure_subjects",
    "let_go",
    "login_subjects",
    "open_about",
    "open_proposals",
    "people_subjects",
    "propose",
    "register",
    "route_subjects",
    "rule_subjects",
    "subject",
    "subjects",
    "take_key",
    "velocity_subjects",
    "why_not_confirm",
    "why_not_decline",
    "why_not_propose",
    "why_not_take",
    "why_not_withdraw",
    "withdraw",
]
