-- What the account the cloud runs as may do, where it is not the owner of the tables: everything with rows, nothing with
-- tables. hadir.grantee names it. Runs after row_security.sql, and may run again.
DO $$
DECLARE
    grantee CONSTANT text := current_setting('hadir.grantee');
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), grantee);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', current_schema(), grantee);
    EXECUTE format('GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA %I TO %I', current_schema(), grantee);
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON _sqlx_migrations FROM %I', grantee);
END
$$;
