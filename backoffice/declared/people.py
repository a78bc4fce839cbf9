"""Who works here, and how they come in."""

from backoffice.declared.setting import Setting
from backoffice.kinds import listed, mapped, on_or_off

SECTIONS: dict[str, tuple[Setting, ...]] = {
    "People": (
        Setting(
            "DUAL_CONTROL",
            "Changes of what decides over money (bands, limits, rules, clients, keys, groups, people's rights) are "
            "in force only when another person has confirmed them.",
            on_or_off,
            None,
            "on, unless DJANGO_DEBUG is on",
        ),
        Setting(
            "SECOND_FACTOR",
            "Whoever may do more than look is asked for a second factor at each login. Who has set one up is always "
            "asked.",
            on_or_off,
            None,
            "on, unless DJANGO_DEBUG is on",
        ),
        Setting(
            "SECOND_FACTOR_ISSUER", "The name of this product in people's authenticator apps.", default="Payouts"
        ),
        Setting(
            "PASSKEY_DOMAIN",
            "The domain that passkeys are for: the host that the browser shows, or a parent of it, for good. Empty: "
            "the host. Whoever moves to another domain sets passkeys up anew.",
        ),
        Setting(
            "SESSION_IDLE_SECONDS",
            "A session ends after so long without activity, and after twelve hours in any case.",
            int,
            1_800,
        ),
        Setting(
            "ACCESS_LOG_RETENTION_DAYS",
            "How long logins, refusals and changes of passwords and second factors stand in the access log. What was "
            "done to an object stands there for good. With 0 all of it does.",
            int,
            400,
        ),
        Setting(
            "REVEALS_A_MINUTE",
            "How many recipients a person or an API client may see in clear within a minute. Who reaches it, or "
            "REVEALS_A_DAY, is on the start page for a day.",
            int,
            20,
        ),
        Setting("REVEALS_A_DAY", "The same within a day.", int, 200),
        Setting(
            "TRUSTED_PROXIES",
            "How many proxies stand in front, each adding to X-Forwarded-For the address that called it. Logins are "
            "throttled and logged by the client's address. The one that ends TLS says so in X-Forwarded-Proto. With "
            "0 neither header is believed: every page then leads to https, and the API refuses every call, unless "
            "DJANGO_DEBUG is on. Never more than there are, or callers can write their own.",
            int,
            0,
        ),
    ),
    "Single sign-on": (
        Setting(
            "OIDC_ISSUER",
            "The identity provider (OpenID Connect), as it calls itself: `https://login.example.com/realms/staff`. "
            "Empty: no single sign-on. README.md tells how people are linked.",
        ),
        Setting("OIDC_CLIENT_ID", "What the identity provider knows this product as."),
        Setting("OIDC_CLIENT_SECRET", "The secret of that client.", is_secret=True),
        Setting(
            "OIDC_SCOPES",
            "What is asked for, comma-separated. Some providers give a refresh token for `offline_access` only; "
            "without one people are sent to the provider again every OIDC_RECHECK_SECONDS.",
            listed,
            ["openid", "email", "profile"],
        ),
        Setting(
            "OIDC_RECHECK_SECONDS",
            "How often the identity provider is asked whether it still stands by a person who is logged in. Whom it "
            "refuses is logged out; where it does not answer, sessions go on for as long again.",
            int,
            60,
        ),
        Setting(
            "OIDC_SECOND_FACTOR",
            "Values of `acr` or `amr`, comma-separated, by which the identity provider says that it asked for a "
            "second factor. Ours is asked for whenever none of them is there.",
            listed,
            [],
        ),
        Setting(
            "OIDC_PASSWORDS",
            "People who are linked to the identity provider may log in by a password too. Who is closed there then "
            "comes in beside it.",
            on_or_off,
            False,
        ),
        Setting(
            "OIDC_GROUPS",
            "Groups at the identity provider and the group here that each stands for, comma-separated: "
            "`staff-approvers=Approver`. A group here that is named, and whose group there a person has left, is "
            "taken from them at their next log-in or recheck.",
            mapped,
            {},
        ),
        Setting("OIDC_GROUPS_CLAIM", "The claim with the groups at the identity provider.", default="groups"),
        Setting(
            "OIDC_RULES_GROUPS",
            "The identity provider's word also gives the groups of OIDC_GROUPS, without a second person here.",
            on_or_off,
            False,
        ),
    ),
}
