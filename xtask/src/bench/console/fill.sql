-- A cloud with many schools: {schools} of them beside the demo's, five boxes each, and {rows} lines of the log. Every fifth line is
-- SMAN1's, and two fifths of those one box's: a list is slow where much is, not on the average. The same every time.
-- {now} is in milliseconds, {today} its day in Jakarta. The log begins a year ago.

INSERT INTO institutions (uuid, code, name, created_at, updated_at)
SELECT md5('school ' || i)::uuid, 'UJI' || i, 'Sekolah Uji ' || i, 0, 0 FROM generate_series(1, {schools}) AS i;
INSERT INTO institution_services (institution_id, service_id, created_at)
SELECT i.id, s.id, 0 FROM institutions i CROSS JOIN services s ON CONFLICT DO NOTHING;

-- n counts from 0, SMAN1 first.
CREATE TEMPORARY TABLE school ON COMMIT DROP AS
SELECT id, (ROW_NUMBER() OVER (ORDER BY code <> 'SMAN1', id) - 1)::int AS n FROM institutions WHERE code = 'SMAN1' OR code LIKE 'UJI%';
CREATE UNIQUE INDEX ON school (n);

INSERT INTO classes (institution_id, name, created_at, updated_at)
SELECT s.id, 'Uji ' || c, 0, 0 FROM school s CROSS JOIN LATERAL generate_series(1, CASE s.n WHEN 0 THEN 50 ELSE 5 END) AS c;
INSERT INTO users (uuid, institution_id, nisn_nip_nik, name, password_hash, created_at, updated_at)
SELECT md5('person ' || s.n || ' ' || p)::uuid, s.id, (70000000 + s.n * 10000 + p)::text,
    (ARRAY['Andi', 'Budi', 'Citra', 'Dewi', 'Eka', 'Fajar', 'Gita', 'Hadi', 'Indah', 'Joko', 'Kartika'])[1 + p % 11] || ' '
    || (ARRAY['Santoso', 'Wijaya', 'Lestari', 'Pratama', 'Nugroho', 'Saputra', 'Hidayat'])[1 + p % 7] || ' ' || p, '', 0, 0
FROM school s CROSS JOIN LATERAL generate_series(1, CASE s.n WHEN 0 THEN 2000 ELSE 200 END) AS p;
INSERT INTO user_roles (user_id, service_id, role_id)
SELECT u.id, r.service_id, r.id FROM users u JOIN roles r ON r.id = 1 WHERE u.nisn_nip_nik LIKE '7_______';
-- Somebody who looks after all schools, with the password of the demo.
INSERT INTO users (uuid, username, name, password_hash, created_at, updated_at)
SELECT md5('super')::uuid, 'semua', 'Pengelola', password_hash, 0, 0 FROM users WHERE nisn_nip_nik = '5001';
INSERT INTO user_roles (user_id, service_id, role_id)
SELECT u.id, r.service_id, r.id FROM users u JOIN roles r ON r.id = 101 WHERE u.username = 'semua';

CREATE TEMPORARY TABLE pupil ON COMMIT DROP AS
SELECT u.id, s.n, s.id AS institution_id, (ROW_NUMBER() OVER (PARTITION BY s.n ORDER BY u.id) - 1)::int AS p
FROM school s JOIN users u ON u.institution_id = s.id AND u.nisn_nip_nik LIKE '7_______';
CREATE UNIQUE INDEX ON pupil (n, p);
INSERT INTO class_students (institution_id, class_id, student_id, academic_year, joined_on, created_at)
SELECT x.institution_id, c.id, x.id, {year}, DATE '{today}' - 800, 0 FROM pupil x
JOIN classes c ON c.institution_id = x.institution_id AND c.name = 'Uji ' || (x.p / 40 + 1);

INSERT INTO edge_devices (id, institution_id, name, public_key, version, enrolled_at, last_seen_at, clock_offset_ms, pending,
    oldest_pending_at, disk_free_bytes, roster_cursor)
SELECT md5('box ' || s.n || ' ' || b)::uuid, s.id, 'Gerbang ' || b, md5('key ' || s.n || ' ' || b) || md5('key'), '1.0.0',
    {now} - 31536000000, {now} - CASE WHEN (s.n + b) % 17 = 0 THEN 86400000 ELSE 60000 * b END, (s.n * 7 + b * 13) % 90 * 1000,
    (s.n + b) % 4, NULL, 20000000000, 1
FROM school s CROSS JOIN generate_series(1, 5) AS b;
INSERT INTO device_logs (institution_id, device_id, log_id, high_seq, high_hash, created_at, updated_at)
SELECT institution_id, id, id, {rows}, md5(id::text) || md5('head'), {now}, {now} FROM edge_devices WHERE public_key LIKE '%' || md5('key');

INSERT INTO attendance (institution_id, user_id, day, type, status, late_minutes, early_minutes, claimed_at, trusted_at,
    time_grade, qr_token_used, class_id, rules_version, event_id, created_at)
SELECT x.institution_id, x.id, DATE '{today}' - d, k, CASE WHEN (x.p + d) % 7 = 0 THEN 'terlambat' ELSE 'hadir' END,
    CASE WHEN (x.p + d) % 7 = 0 THEN 9 ELSE 0 END, 0, {now} - d * 86400000::bigint, {now} - d * 86400000::bigint, 'anchored', 'HC1', m.class_id, 1,
    md5(x.id || ' ' || d || k)::uuid, {now} - d * 86400000::bigint
FROM pupil x JOIN class_students m ON m.institution_id = x.institution_id AND m.student_id = x.id
CROSS JOIN generate_series(0, 30) AS d CROSS JOIN (VALUES ('checkin'), ('checkout')) AS t (k)
WHERE (x.p + d) % 13 <> 0 AND (d > 0 OR k = 'checkin')
ON CONFLICT DO NOTHING;

-- The indexes are made when the rows are there: as they are written in the migration, and in half the time.
CREATE TEMPORARY TABLE later ON COMMIT DROP AS
SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'sync_records' AND indexname <> 'sync_records_pkey';
DO $$ DECLARE i RECORD; BEGIN FOR i IN SELECT * FROM later LOOP EXECUTE format('DROP INDEX %I', i.indexname); END LOOP; END $$;
INSERT INTO sync_records (institution_id, device_id, log_id, seq, body, hash, received_at, verdict, reason, error_message,
    action_type, user_id, claimed_at, trusted_at, tries, decided_at)
SELECT s.id, md5('box ' || s.n || ' ' || l.b)::uuid, md5('box ' || s.n || ' ' || l.b)::uuid, l.g,
    '{"v":1,"event":"' || md5('event ' || l.g)::uuid || '","at":{"claimed":' || l.at || ',"trusted":' || l.at
    || ',"grade":"anchored","boottime_ms":5000,"boot":"' || md5('boot ' || l.b)::uuid || '"},"what":{"scan":{"user":' || x.id
    || ',"direction":"checkin","day":"' || (DATE '1970-01-01' + ((l.at + 25200000) / 86400000)::int) || '","method":"card","token":"1","gate":"Gerbang '
    || l.b || '","schedule":{"version":1,"zone":"Asia/Jakarta","checkin_end":"07:30:00","late_grace_minutes":0,"checkout_start":"14:00:00"}}}}',
    md5('hash ' || l.g) || md5('hash'), l.received, v.verdict, v.reason, v.message,
    CASE WHEN l.h % 100 < 97 THEN 'attendance' WHEN l.h % 100 = 97 THEN 'boot' ELSE 'clock' END,
    CASE WHEN l.h % 100 < 97 AND v.reason IS DISTINCT FROM 'unknown_card' THEN x.id END, l.at, l.at, 1, l.received
FROM (
    SELECT k.g, k.h, k.n, k.received, k.received - k.lag AS at,
        CASE WHEN k.n = 0 THEN (ARRAY[1, 1, 1, 1, 2, 2, 2, 3, 3, 4])[1 + (k.g / 5) % 10] ELSE 1 + k.h / 7 % 5 END AS b
    FROM (
        SELECT g, h, CASE WHEN g % 5 = 0 THEN 0 ELSE 1 + h % {schools} END AS n,
            {now} - 31536000000 + g * 31536000000 / {rows} AS received,
            -- Most within seconds; each twentieth day a box was without a line and was up to two days late.
            CASE WHEN g * 365 / {rows} % 20 = 0 THEN h % 172800000 ELSE 1000 + h % 4000 END AS lag
        FROM generate_series(1::bigint, {rows}) AS g CROSS JOIN LATERAL (SELECT abs(hashint8(g))::bigint AS h) AS hashed
    ) AS k
) AS l
JOIN school s ON s.n = l.n
JOIN pupil x ON x.n = l.n AND x.p = l.h / 11 % CASE l.n WHEN 0 THEN 2000 ELSE 200 END
CROSS JOIN LATERAL (SELECT l.h / 100 % 1000 AS r) AS dice
JOIN (VALUES (0, 940, 'stored', NULL, NULL),
    (940, 965, 'duplicate', 'already_recorded', NULL),
    (965, 975, 'refused', 'inactive_person', 'User tidak aktif'),
    (975, 980, 'refused', 'unknown_card', 'QR code tidak dikenal'),
    (980, 988, 'conflict', 'contradicts', 'Absensi lain dengan isi berbeda sudah tercatat untuk hari ini'),
    (988, 992, 'quarantined', 'bad_schema', 'Data tidak dapat dibaca'),
    (992, 996, 'corrected', 'contradicts', NULL),
    (996, 1000, 'discarded', 'bad_schema', 'Data tidak dapat dibaca')) AS v (least, below, verdict, reason, message)
    ON dice.r >= v.least AND dice.r < v.below;
DO $$ DECLARE i RECORD; BEGIN FOR i IN SELECT * FROM later LOOP EXECUTE i.indexdef; END LOOP; END $$;
