"""The database tells clusters that listen of a task: its queue's name, at the commit (worker/database_queue.py).

Commits that tell wait for one another (eight connections: 440 a second, of 1,500), so nobody is told of a task beside
one that is free already, and then they do not.
"""

from django.db import migrations

from payouts.migrations._waits import briefly

TELL = """
CREATE FUNCTION payouts_tell_of_task() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM django_q_ormq WHERE key = NEW.key AND lock <= statement_timestamp() AND id <> NEW.id
    ) THEN
        PERFORM pg_notify('payouts_queue', NEW.key);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER payouts_tell_of_task AFTER INSERT ON django_q_ormq
    FOR EACH ROW EXECUTE FUNCTION payouts_tell_of_task();
"""
UNTELL = """
DROP TRIGGER payouts_tell_of_task ON django_q_ormq;
DROP FUNCTION payouts_tell_of_task();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0055_archived"),
        ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more"),
    ]

    operations = [briefly(), migrations.RunSQL(TELL, UNTELL)]
