-- As whom a backup is put back for the drill: what is in a backup runs as this role, so it reaches nothing but databases
-- that it has made.
CREATE ROLE payouts_drill LOGIN CREATEDB;
