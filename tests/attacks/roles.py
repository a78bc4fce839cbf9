"""Who knocks, and what is stored for pages to show: for the program that makes rows and the one that attacks."""

# Whoever may not see payouts never meets it.
CANARY = "canary-8c1f"
# Whose payouts the victim's are; nobody else pays this user.
USER_ID = 987_654
# Markup with an element and a call that are nowhere else; each in another place of HTML or of a script.
ELEMENT, CALL = "x8c1f", "alert(8181)"
SCRIPTS = (
    f"\"'><{ELEMENT} onload={CALL}>",
    f"</script></title></textarea><{ELEMENT} src=x onerror={CALL}>",
    f"javascript:{CALL}//<{ELEMENT}>",
    f"{{{{ {CALL} }}}}{{% debug %}}${{{CALL}}}`{CALL}`",
    f"' x-init={CALL} x-data={{}} @click={CALL} <{ELEMENT}>",
    f"<svg/onload={CALL}><{ELEMENT}/>",
    f"=cmd|' /C calc'!A0<{ELEMENT}>",
    f"&lt;{ELEMENT}&gt; %3C{ELEMENT}%3E \\u003c{ELEMENT}\\u003e",
)
# `plain` is staff without a right, `outsider` no staff, `closed` an account that was closed with its session open.
ROLES = ("nobody", "outsider", "closed", "plain", "Operator", "Approver", "Auditor", "Admin", "superuser")
# They see no payout, client, batch or person.
WITHOUT_RIGHTS = frozenset({"nobody", "outsider", "closed", "plain"})
