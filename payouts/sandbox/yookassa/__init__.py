"""The dialect of YooKassa's payouts, /v3/…: a test gateway, as its public documentation describes one."""
