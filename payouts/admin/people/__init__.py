from payouts.admin.people import access_log, groups, users

__all__ = ["access_log", "groups", "users"]
