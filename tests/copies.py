"""A copy of a database on its own server."""

from psycopg import sql


def copying(old: str, new: str) -> list[sql.Composed]:
    """The statements, each by itself and as the owner, that make `new` a copy of `old`, to which nobody is connected.

    A copy has the tables' rights, and not the database's own: migrating took TEMPORARY from everybody, because a
    temporary table hides ours from triggers.
    """
    statements = ("CREATE DATABASE {new} TEMPLATE {old}", "REVOKE TEMPORARY ON DATABASE {new} FROM PUBLIC")
    names = {"old": sql.Identifier(old), "new": sql.Identifier(new)}
    return [sql.SQL(statement).format(**names) for statement in statements]
