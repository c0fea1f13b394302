-- Row-level security: behind every WHERE institution_id = $1 stands the database itself. Runs after the migrations, on
-- PostgreSQL alone, and may run again: a table that is new is guarded without anybody thinking of it.
--
-- A transaction names its scope as it begins (Db::read, Db::write): hadir.institution is the school whose rows it may see
-- and write, hadir.scope = 'cloud' is work that spans schools. A transaction that names neither sees nothing. FORCE holds
-- for the tables' owner too; only a superuser or BYPASSRLS escapes, and `hadir-cloud doctor` says so.
DO $$
DECLARE
    guarded RECORD;
    own CONSTANT text := 'NULLIF(current_setting(''hadir.institution'', true), '''')::bigint';
    all_of_them CONSTANT text := 'current_setting(''hadir.scope'', true) = ''cloud''';
BEGIN
    FOR guarded IN
        SELECT c.oid::regclass AS name, CASE c.relname WHEN 'institutions' THEN 'id' ELSE 'institution_id' END AS school
        FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
          AND (c.relname = 'institutions' OR EXISTS (
              SELECT 1 FROM pg_attribute a
              WHERE a.attrelid = c.oid AND a.attname = 'institution_id' AND NOT a.attisdropped))
          AND NOT EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'own_school')
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', guarded.name);
        EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', guarded.name);
        EXECUTE format('CREATE POLICY own_school ON %s USING (%I = %s OR %s)', guarded.name, guarded.school, own, all_of_them);
    END LOOP;
END
$$;
