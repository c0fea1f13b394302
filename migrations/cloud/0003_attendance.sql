-- Attendance. Every table of a school's data carries institution_id, which leads every key and index.

CREATE TABLE settings (
    institution_id BIGINT NOT NULL REFERENCES institutions (id),
    key_name       TEXT NOT NULL,
    value          TEXT NOT NULL,
    description    TEXT NOT NULL,
    updated_at     BIGINT NOT NULL,
    PRIMARY KEY (institution_id, key_name)
);

-- Rises with every change of a school's settings, in the change's own transaction. Its row is the lock under which they
-- are changed; records name the version that decided them.
CREATE TABLE settings_versions (
    institution_id BIGINT PRIMARY KEY REFERENCES institutions (id),
    version        BIGINT NOT NULL
);

-- The school's own secrets: the key of its rotating QR, the keys its cards are signed with.
CREATE TABLE institution_keys (
    institution_id BIGINT NOT NULL REFERENCES institutions (id),
    purpose        TEXT NOT NULL CHECK (purpose IN ('qr', 'card')),
    epoch          BIGINT NOT NULL,
    secret         TEXT NOT NULL,                             -- sealed with the deployment's key
    public         TEXT,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (institution_id, purpose, epoch)
);

CREATE TABLE classes (
    id                  $ID,
    institution_id      BIGINT NOT NULL REFERENCES institutions (id),
    name                TEXT NOT NULL,
    homeroom_teacher_id BIGINT REFERENCES users (id),
    created_at          BIGINT NOT NULL,
    updated_at          BIGINT NOT NULL
);
CREATE UNIQUE INDEX classes_by_name ON classes (institution_id, name);

-- Who is in a class, and since when. In it on a day: the day is of the academic year, joined_on <= day, and left_on is NULL
-- or later. Nobody is deleted from it who was in it for a day.
CREATE TABLE class_students (
    id             $ID,
    institution_id BIGINT NOT NULL REFERENCES institutions (id),
    class_id       BIGINT NOT NULL REFERENCES classes (id),
    student_id     BIGINT NOT NULL REFERENCES users (id),
    academic_year  BIGINT NOT NULL,                           -- the year it begins in
    joined_on      DATE NOT NULL,                             -- the first day
    left_on        DATE CHECK (left_on > joined_on),          -- the first day no more; NULL: still in it
    created_at     BIGINT NOT NULL
);
CREATE UNIQUE INDEX class_students_open ON class_students (institution_id, class_id, student_id, academic_year)
    WHERE left_on IS NULL;
CREATE INDEX class_students_by_class ON class_students (institution_id, class_id, academic_year);
CREATE INDEX class_students_by_student ON class_students (institution_id, student_id, academic_year);

CREATE TABLE student_cards (
    id             $ID,
    institution_id BIGINT NOT NULL REFERENCES institutions (id),
    student_id     BIGINT NOT NULL REFERENCES users (id),
    serial         BIGINT NOT NULL,                           -- the student's first, second, … card
    qr_code        TEXT NOT NULL,                             -- the plain code of the documents
    signed_code    TEXT NOT NULL,                             -- what the printed QR holds: HC1.…
    is_active      BOOLEAN NOT NULL,
    generated_at   BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    UNIQUE (institution_id, qr_code),
    UNIQUE (institution_id, student_id, serial)
);
CREATE UNIQUE INDEX student_cards_one_active ON student_cards (institution_id, student_id) WHERE is_active;

CREATE TABLE holidays (
    id             $ID,
    institution_id BIGINT NOT NULL REFERENCES institutions (id),
    day            DATE NOT NULL,
    name           TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    UNIQUE (institution_id, day)
);

CREATE TABLE leaves (
    id               $ID,
    institution_id   BIGINT NOT NULL REFERENCES institutions (id),
    user_id          BIGINT NOT NULL REFERENCES users (id),
    leave_type       TEXT NOT NULL CHECK (leave_type IN ('izin', 'cuti', 'dinas_luar', 'sakit')),
    start_date       DATE NOT NULL,
    end_date         DATE NOT NULL,
    reason           TEXT NOT NULL,
    attachment_path  TEXT,
    status           TEXT NOT NULL CHECK (status IN ('menunggu', 'disetujui', 'ditolak')),
    approved_by      BIGINT REFERENCES users (id),
    approval_comment TEXT,
    approved_at      BIGINT,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL
);
CREATE INDEX leaves_by_user ON leaves (institution_id, user_id, start_date);
CREATE INDEX leaves_by_status ON leaves (institution_id, status, id);

CREATE TABLE announcements (
    id             $ID,
    institution_id BIGINT NOT NULL REFERENCES institutions (id),
    title          TEXT NOT NULL,
    content        TEXT NOT NULL,
    author_id      BIGINT NOT NULL REFERENCES users (id),
    is_published   BOOLEAN NOT NULL,
    published_at   BIGINT,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL
);
CREATE INDEX announcements_by_institution ON announcements (institution_id, id);

-- One check-in and one check-out per person and school day: the natural key. A row is never edited or deleted. Beside them
-- stand the absences (alpha) that were marked when a day was over; a check-in of that day that comes later supersedes one. A
-- row that a gate took back (attendance_voids) counts for nothing, and the next of its key has the next turn.
CREATE TABLE attendance (
    id             $ID,
    institution_id BIGINT NOT NULL,
    user_id        BIGINT NOT NULL,
    day            DATE NOT NULL,
    type           TEXT NOT NULL CHECK (type IN ('checkin', 'checkout')),
    status         TEXT NOT NULL CHECK (status IN ('hadir', 'terlambat', 'izin', 'sakit', 'alpha')),
    late_minutes   BIGINT NOT NULL,
    early_minutes  BIGINT NOT NULL,
    claimed_at     BIGINT NOT NULL,
    trusted_at     BIGINT NOT NULL,
    time_grade     TEXT NOT NULL,
    latitude       DOUBLE PRECISION,
    longitude      DOUBLE PRECISION,
    accuracy       DOUBLE PRECISION,
    fence          TEXT,
    photo_path     TEXT,
    qr_token_used  TEXT NOT NULL,
    class_id       BIGINT,                                    -- as it was then; a move never rewrites history
    rules_version  BIGINT NOT NULL,                           -- of the settings that decided the status
    event_id       UUID NOT NULL,
    device_id      UUID,                                      -- NULL: recorded online, at the cloud itself
    gate           TEXT,
    operator_id    BIGINT,
    turn           BIGINT NOT NULL DEFAULT 0,                 -- how many of this key were taken back before it came
    created_at     BIGINT NOT NULL
);
CREATE UNIQUE INDEX attendance_natural_key ON attendance (institution_id, user_id, day, type, turn) WHERE status <> 'alpha';
CREATE UNIQUE INDEX attendance_alpha_key ON attendance (institution_id, user_id, day, type) WHERE status = 'alpha';
CREATE INDEX attendance_by_day ON attendance (institution_id, day, user_id);

-- Scans that were taken back at their gate, within minutes: as if they had not been. A row beside the record, which stays.
CREATE TABLE attendance_voids (
    id             $ID,
    institution_id BIGINT NOT NULL,
    attendance_id  BIGINT REFERENCES attendance (id),         -- NULL: the scan was never in the books, and shall not come
    device_id      UUID NOT NULL,                             -- of the scan and of its undo: nobody takes back another's
    scan_event     UUID NOT NULL,
    event_id       UUID NOT NULL,
    user_id        BIGINT NOT NULL,
    day            DATE NOT NULL,
    type           TEXT NOT NULL CHECK (type IN ('checkin', 'checkout')),
    reason         TEXT NOT NULL,
    gate           TEXT NOT NULL,
    operator_id    BIGINT,
    trusted_at     BIGINT NOT NULL,
    created_at     BIGINT NOT NULL
);
CREATE UNIQUE INDEX attendance_voids_by_scan ON attendance_voids (institution_id, device_id, scan_event);
CREATE UNIQUE INDEX attendance_voids_by_row ON attendance_voids (institution_id, attendance_id) WHERE attendance_id IS NOT NULL;
CREATE INDEX attendance_voids_by_day ON attendance_voids (institution_id, user_id, day);

-- What somebody decided about a person's day afterwards. Of several about one person, day and direction the last by id counts,
-- over whatever was recorded before it or comes later.
CREATE TABLE attendance_corrections (
    id                  $ID,
    institution_id      BIGINT NOT NULL REFERENCES institutions (id),
    attendance_id       BIGINT NOT NULL REFERENCES attendance (id), -- the row somebody looked at
    user_id             BIGINT NOT NULL REFERENCES users (id),
    day                 DATE NOT NULL,
    type                TEXT NOT NULL CHECK (type IN ('checkin', 'checkout')),
    status_before       TEXT NOT NULL,
    status_after        TEXT NOT NULL CHECK (status_after IN ('hadir', 'terlambat', 'izin', 'sakit', 'alpha')),
    late_minutes_before BIGINT NOT NULL,
    late_minutes_after  BIGINT NOT NULL,
    reason              TEXT NOT NULL,
    corrected_by        BIGINT NOT NULL REFERENCES users (id),
    created_at          BIGINT NOT NULL
);
CREATE INDEX attendance_corrections_by_day ON attendance_corrections (institution_id, user_id, day, type, id);

-- The last day whose absences were marked.
CREATE TABLE absence_marks (
    institution_id BIGINT PRIMARY KEY REFERENCES institutions (id),
    through        DATE NOT NULL
);

-- What was uploaded: the bytes lie in the object store under the same key, which is random and says nothing.
CREATE TABLE files (
    key            TEXT PRIMARY KEY,
    institution_id BIGINT NOT NULL REFERENCES institutions (id),
    owner_id       BIGINT NOT NULL REFERENCES users (id),
    kind           TEXT NOT NULL,                             -- 'attendance', 'leave', 'profile'
    media_type     TEXT NOT NULL,                             -- 'image/jpeg', 'application/pdf'
    bytes          BIGINT NOT NULL,
    created_at     BIGINT NOT NULL
);
CREATE INDEX files_by_owner ON files (institution_id, owner_id);
