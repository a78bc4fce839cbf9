from payouts.admin.people import access_log, users

__all__ = ["access_log", "users"]
