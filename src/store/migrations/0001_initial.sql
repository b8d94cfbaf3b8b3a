-- Common dialect of SQLite and PostgreSQL: TEXT, BIGINT and BLOB (on PostgreSQL a domain over bytea) are all types.
-- Ids are hyphenated UUIDs in lower case, moments Unix milliseconds UTC, flags 0 or 1, lists JSON. A column *_key or
-- *_search holds text folded by the program: what matches without case is decided there, not by a collation.
-- Each statement ends with a semicolon at the end of a line; there is no other semicolon at the end of a line.
-- Statements of one engine follow its name: what each message looks up goes by hashes on PostgreSQL, where a tree costs a
-- page for each of its levels, and has more of them the larger the fleet.

CREATE TABLE settings (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- Background work that one of several processes does; a holder that does not beat for a while is taken over.
CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    term BIGINT NOT NULL,
    beat BIGINT NOT NULL
);

-- Always empty: the readiness check writes a row of its own here and removes it in the same transaction.
CREATE TABLE health (
    id TEXT NOT NULL PRIMARY KEY
);

-- enrollments_seq counts enrollments: two at once do not pass the device limit, or take the same machine for two.
CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL UNIQUE,
    local_part TEXT,
    email_search TEXT NOT NULL,
    name TEXT,
    name_search TEXT NOT NULL,
    kind TEXT NOT NULL,
    role TEXT NOT NULL,
    enabled BIGINT NOT NULL,
    password_hash TEXT,
    credential_version BIGINT NOT NULL,
    device_limit BIGINT,
    must_change_password BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    enrollments_seq BIGINT NOT NULL
);
CREATE INDEX users_by_age ON users (created_at, id);
CREATE INDEX users_by_local_part ON users (local_part);

CREATE TABLE tokens (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    secret_hash BLOB NOT NULL UNIQUE,
    role TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX tokens_by_age ON tokens (created_at, id);
CREATE INDEX tokens_of_user ON tokens (user_id);

-- Packages for bulk enrollment. One without a user is over: the user was removed. pin_hash is a sealed hash, networks a JSON
-- list.
CREATE TABLE packages (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT REFERENCES users (id),
    user_name TEXT NOT NULL,
    name TEXT NOT NULL,
    build BIGINT NOT NULL,
    built_as TEXT,
    secret_hash BLOB NOT NULL UNIQUE,
    pin_hash BLOB,
    pin_failures BIGINT NOT NULL,
    networks TEXT NOT NULL,
    max_devices BIGINT NOT NULL,
    devices BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at BIGINT,
    root TEXT,
    generation TEXT
);
CREATE INDEX packages_by_age ON packages (created_at, id);
CREATE INDEX packages_of_user ON packages (user_id, created_at, id);

-- Of each user at most one invitation is open. token_hash is SHA-256 of the secret in its address, pin_hash a sealed hash.
-- mail_id and enrollment_id are no foreign keys: both rows are born together, and history goes by its own rules.
CREATE TABLE invitations (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    email TEXT NOT NULL,
    language TEXT NOT NULL,
    token_hash BLOB NOT NULL UNIQUE,
    pin_hash BLOB,
    pin_expires_at BIGINT,
    pin_tries BIGINT,
    state TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    closed_at BIGINT,
    closed_reason TEXT,
    enrollment_id TEXT,
    mail_id TEXT,
    version BIGINT NOT NULL,
    issue_id TEXT
);
CREATE UNIQUE INDEX invitations_open ON invitations (user_id) WHERE state = 'open';
CREATE INDEX invitations_of_user ON invitations (user_id);
CREATE INDEX invitations_by_age ON invitations (created_at, id);
CREATE INDEX invitations_by_end ON invitations (expires_at);

-- The outbox. content is sealed, and gone once the mail is sent or given up.
CREATE TABLE mails (
    id TEXT NOT NULL PRIMARY KEY,
    invitation_id TEXT NOT NULL REFERENCES invitations (id) ON DELETE CASCADE,
    recipient TEXT NOT NULL,
    message_id TEXT NOT NULL,
    content BLOB,
    state TEXT NOT NULL,
    tries BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    sent_at BIGINT,
    error TEXT,
    version BIGINT NOT NULL
);
CREATE INDEX mails_due ON mails (due_at) WHERE state = 'queued';
CREATE INDEX mails_of_invitation ON mails (invitation_id);

-- Texts of mails that an administrator wrote in the place of the built-in ones.
CREATE TABLE mail_templates (
    language TEXT NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    changed_by TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);

-- What may enroll where only registered devices may, by what they will claim. enrollment_id is what was let in last; no
-- foreign key, because enrollments are never removed.
CREATE TABLE registered_devices (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    value_key TEXT NOT NULL,
    note TEXT,
    created_at BIGINT NOT NULL,
    enrollment_id TEXT,
    UNIQUE (kind, value_key)
);
CREATE INDEX registered_devices_by_age ON registered_devices (created_at, id);
CREATE INDEX registered_devices_by_holder ON registered_devices (enrollment_id);

-- enrollment_id names the newest enrollment. It is no foreign key: the two rows are born together.
CREATE TABLE devices (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    hw_dev_id TEXT,
    search TEXT NOT NULL,
    enrollment_id TEXT NOT NULL,
    linked_device_id TEXT REFERENCES devices (id),
    created_at BIGINT NOT NULL
);
-- postgresql: CREATE INDEX devices_hashed ON devices USING hash (id);
CREATE INDEX devices_by_age ON devices (created_at, id);
CREATE INDEX devices_by_enrollment ON devices (enrollment_id);

CREATE TABLE enrollments (
    id TEXT NOT NULL PRIMARY KEY,
    device_id TEXT NOT NULL REFERENCES devices (id),
    user_id TEXT REFERENCES users (id),
    state TEXT NOT NULL,
    is_open BIGINT NOT NULL,
    mode TEXT NOT NULL,
    kind TEXT NOT NULL,
    claimed_device_id TEXT,
    hw_dev_id TEXT,
    reported_dev_id TEXT,
    reported_source TEXT,
    os_version TEXT,
    os_edition BIGINT,
    context TEXT NOT NULL,
    account BLOB NOT NULL,
    enrolled_at BIGINT NOT NULL,
    last_seen_at BIGINT,
    inventory_at BIGINT,
    state_since BIGINT NOT NULL,
    closed_reason TEXT,
    warning TEXT,
    locked_to_tenant BIGINT NOT NULL,
    entra_device_id TEXT,
    package_id TEXT REFERENCES packages (id),
    assigned_at BIGINT,
    approval TEXT NOT NULL,
    replaced_unapproved TEXT,
    version BIGINT NOT NULL
);
-- postgresql: CREATE INDEX enrollments_hashed ON enrollments USING hash (id);
CREATE INDEX enrollments_of_device ON enrollments (device_id);
CREATE INDEX enrollments_of_user ON enrollments (user_id, is_open, device_id);
CREATE INDEX enrollments_in_state ON enrollments (state, state_since);

CREATE TABLE enrollment_identifiers (
    identifier TEXT NOT NULL,
    enrollment_id TEXT NOT NULL REFERENCES enrollments (id),
    PRIMARY KEY (identifier, enrollment_id)
);
CREATE INDEX identifiers_of_enrollment ON enrollment_identifiers (enrollment_id);

CREATE TABLE conversations (
    enrollment_id TEXT NOT NULL PRIMARY KEY REFERENCES enrollments (id),
    state TEXT NOT NULL,
    revision BIGINT NOT NULL
);
-- postgresql: CREATE INDEX conversations_hashed ON conversations USING hash (enrollment_id);

-- Waking devices by push. channel is sealed, channel_seq counts its changes; claimed_by names the process that sends.
CREATE TABLE push (
    enrollment_id TEXT NOT NULL PRIMARY KEY REFERENCES enrollments (id),
    pfn TEXT,
    pfn_status BIGINT,
    pfn_at BIGINT,
    channel BLOB,
    channel_seq BIGINT NOT NULL,
    channel_at BIGINT,
    refusal TEXT,
    status TEXT,
    status_at BIGINT,
    wake_at BIGINT,
    claimed_by TEXT,
    tries BIGINT NOT NULL,
    outcome TEXT,
    sent_at BIGINT,
    connection TEXT,
    detail TEXT,
    not_before BIGINT
);
CREATE INDEX push_due ON push (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX push_claimed ON push (claimed_by) WHERE claimed_by IS NOT NULL;

CREATE TABLE inventory (
    device_id TEXT NOT NULL REFERENCES devices (id),
    node_key TEXT NOT NULL,
    loc_uri TEXT NOT NULL,
    value TEXT,
    format TEXT,
    at BIGINT NOT NULL,
    PRIMARY KEY (device_id, node_key)
);

CREATE TABLE missing_nodes (
    device_id TEXT NOT NULL REFERENCES devices (id),
    loc_uri TEXT NOT NULL,
    os_version TEXT NOT NULL,
    status BIGINT NOT NULL,
    PRIMARY KEY (device_id, loc_uri)
);

-- The CAs, once one takes the place of another; before, those in the data folder count. Keys are sealed.
CREATE TABLE authorities (
    id TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL UNIQUE,
    root BLOB NOT NULL,
    issuing BLOB NOT NULL,
    root_key BLOB NOT NULL,
    issuing_key BLOB NOT NULL,
    since BIGINT NOT NULL
);

-- Devices that have the root of the newest CA, while that is not settled.
CREATE TABLE ca_deliveries (
    enrollment_id TEXT NOT NULL PRIMARY KEY REFERENCES enrollments (id),
    root TEXT NOT NULL,
    at BIGINT NOT NULL
);

CREATE TABLE certificates (
    serial TEXT NOT NULL PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE,
    enrollment_id TEXT NOT NULL REFERENCES enrollments (id),
    subject TEXT NOT NULL,
    issuer TEXT NOT NULL,
    der BLOB NOT NULL,
    key_sha256 BLOB NOT NULL UNIQUE,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    revoked_at BIGINT,
    revoked_reason TEXT,
    renews TEXT,
    first_used_at BIGINT,
    superseded_at BIGINT,
    late_told_at BIGINT
);
-- postgresql: CREATE INDEX certificates_hashed ON certificates USING hash (sha256);
-- Of an enrollment at most one certificate waits for its first use: two renewals at once cannot both be granted.
CREATE UNIQUE INDEX certificates_waiting ON certificates (enrollment_id)
    WHERE renews IS NOT NULL AND first_used_at IS NULL AND revoked_at IS NULL;
CREATE INDEX certificates_by_end ON certificates (not_after) WHERE revoked_at IS NULL AND superseded_at IS NULL;
CREATE INDEX certificates_of_enrollment ON certificates (enrollment_id);
CREATE INDEX certificates_of_issuer ON certificates (issuer, not_after) WHERE revoked_at IS NULL;
CREATE INDEX certificates_by_age ON certificates (not_before, serial);
CREATE INDEX certificates_revoked ON certificates (revoked_at, serial) WHERE revoked_at IS NOT NULL;

-- action, body, rest and items are sealed. offer_session is no foreign key: sessions are pruned before the commands they carried.
CREATE TABLE commands (
    id TEXT NOT NULL PRIMARY KEY,
    enrollment_id TEXT NOT NULL REFERENCES enrollments (id),
    device_id TEXT NOT NULL REFERENCES devices (id),
    action_name TEXT NOT NULL,
    action BLOB NOT NULL,
    is_raw BIGINT NOT NULL,
    state TEXT NOT NULL,
    is_open BIGINT NOT NULL,
    detail TEXT NOT NULL,
    status BIGINT,
    hresult TEXT,
    priority BIGINT NOT NULL,
    alone BIGINT NOT NULL,
    body BLOB NOT NULL,
    items BLOB NOT NULL,
    step BIGINT NOT NULL,
    offers BIGINT NOT NULL,
    retries BIGINT NOT NULL,
    offer_session TEXT,
    offer_msg BIGINT,
    offered_at BIGINT,
    not_before BIGINT,
    expires_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    finished_at BIGINT,
    created_by TEXT NOT NULL,
    reason TEXT,
    revealed BIGINT NOT NULL,
    rest BLOB NOT NULL,
    needs_user BIGINT NOT NULL,
    followed_since BIGINT,
    questions BIGINT,
    large_value TEXT
);
-- postgresql: CREATE INDEX commands_hashed ON commands USING hash (id);
CREATE INDEX commands_sendable ON commands (enrollment_id, needs_user, priority, created_at, id) WHERE state = 'queued';
CREATE INDEX commands_open ON commands (enrollment_id, priority, created_at, id) WHERE is_open = 1;
CREATE INDEX commands_offered ON commands (enrollment_id) WHERE is_open = 1 AND offer_session IS NOT NULL;
CREATE INDEX commands_of_session ON commands (offer_session, offer_msg) WHERE offer_session IS NOT NULL;
-- Its second condition always holds: it keeps a planner that believes nothing is open from going through this index for the
-- commands of one enrollment.
CREATE INDEX commands_ending ON commands (state, expires_at) WHERE is_open = 1 AND expires_at IS NOT NULL;
CREATE INDEX commands_finished ON commands (finished_at) WHERE is_open = 0;
CREATE INDEX commands_by_age ON commands (created_at, id);
CREATE INDEX commands_of_device ON commands (device_id, created_at, id);

-- Values that are too large for a row of their command. One that is not whole is on its way from the device.
CREATE TABLE objects (
    id TEXT NOT NULL PRIMARY KEY,
    enrollment_id TEXT NOT NULL REFERENCES enrollments (id),
    command_id TEXT REFERENCES commands (id) ON DELETE CASCADE,
    bytes BIGINT NOT NULL,
    is_whole BIGINT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX objects_of_command ON objects (command_id);
CREATE INDEX objects_coming ON objects (at) WHERE is_whole = 0;

-- body is sealed; start and bytes tell which bytes of the object it holds.
CREATE TABLE object_parts (
    object_id TEXT NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
    seq BIGINT NOT NULL,
    start BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (object_id, seq)
);

-- enrollment_id and device_id are no foreign keys: neither row is ever removed, and each session would pay for the look-ups.
CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    enrollment_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    wire_id TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    closed_at BIGINT,
    state TEXT NOT NULL,
    messages BIGINT NOT NULL,
    login TEXT NOT NULL,
    mode TEXT,
    correlation TEXT,
    client_request_id TEXT,
    remarks TEXT NOT NULL,
    proofs TEXT NOT NULL,
    tokens TEXT NOT NULL
);
CREATE INDEX sessions_by_age ON sessions (opened_at, id);
CREATE INDEX sessions_of_device ON sessions (device_id, opened_at, id);
CREATE INDEX sessions_idle ON sessions (last_at) WHERE closed_at IS NULL;
CREATE INDEX sessions_closed ON sessions (closed_at) WHERE closed_at IS NOT NULL;

-- A row for a message of the device with its answer. body holds both, redacted, under zstd.
CREATE TABLE transcripts (
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    encoding TEXT NOT NULL,
    status BIGINT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (session_id, number, at)
);
-- What is compressed already is kept as it is, and in the row.
-- postgresql: ALTER TABLE transcripts ALTER COLUMN body SET STORAGE EXTERNAL;
-- postgresql: ALTER TABLE transcripts SET (toast_tuple_target = 8160);

CREATE TABLE answers (
    session_id TEXT NOT NULL PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
    enrollment_id TEXT NOT NULL,
    msg_id BIGINT NOT NULL,
    digest BLOB NOT NULL,
    at BIGINT NOT NULL,
    sealed BLOB NOT NULL
);
CREATE INDEX answers_by_age ON answers (at);

CREATE TABLE attempts (
    id TEXT NOT NULL PRIMARY KEY,
    started_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    address TEXT NOT NULL,
    road TEXT,
    phase TEXT NOT NULL,
    outcome TEXT NOT NULL,
    cause TEXT NOT NULL,
    hresult BIGINT,
    trace_id TEXT NOT NULL,
    device_name TEXT,
    os_version TEXT,
    enrollment_id TEXT,
    refused TEXT,
    claims TEXT NOT NULL,
    times BIGINT NOT NULL
);
CREATE INDEX attempts_by_age ON attempts (started_at, id);
CREATE INDEX attempts_by_trace ON attempts (trace_id);
CREATE INDEX attempts_by_email ON attempts (email_key, started_at, id);
CREATE INDEX attempts_open ON attempts (email_key, address, started_at, id) WHERE outcome = 'open';
CREATE INDEX attempts_failed ON attempts (email_key, address, started_at, id) WHERE outcome = 'failed';

-- Alerts of devices. session_id is no foreign key: sessions are pruned earlier.
CREATE TABLE alerts (
    id TEXT NOT NULL PRIMARY KEY,
    device_id TEXT NOT NULL REFERENCES devices (id),
    enrollment_id TEXT NOT NULL REFERENCES enrollments (id),
    session_id TEXT,
    at BIGINT NOT NULL,
    code BIGINT NOT NULL,
    kind TEXT NOT NULL,
    is_known BIGINT NOT NULL,
    source TEXT,
    mark TEXT,
    format TEXT,
    data TEXT NOT NULL,
    data_bytes BIGINT NOT NULL
);
CREATE INDEX alerts_of_device ON alerts (device_id, at, id);
CREATE INDEX alerts_by_age ON alerts (at);

-- What devices were asked to upload: a URL with a secret for one upload. attempt names who is sending, and who sent what came.
CREATE TABLE uploads (
    id TEXT NOT NULL PRIMARY KEY,
    device_id TEXT NOT NULL REFERENCES devices (id),
    enrollment_id TEXT NOT NULL REFERENCES enrollments (id),
    secret_hash BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    attempt TEXT,
    attempt_at BIGINT,
    received_at BIGINT,
    bytes BIGINT,
    chunks BIGINT,
    sha256 BLOB
);
CREATE INDEX uploads_by_age ON uploads (created_at, id);
CREATE INDEX uploads_of_device ON uploads (device_id, created_at, id);
CREATE INDEX uploads_received ON uploads (received_at) WHERE received_at IS NOT NULL;
CREATE INDEX uploads_unused ON uploads (expires_at) WHERE received_at IS NULL;

-- What came, sealed part by part.
CREATE TABLE upload_chunks (
    upload_id TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    attempt TEXT NOT NULL,
    seq BIGINT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (upload_id, attempt, seq)
);

CREATE TABLE events (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT,
    time BIGINT NOT NULL,
    data TEXT NOT NULL,
    seq BIGINT
);
CREATE UNIQUE INDEX events_in_order ON events (seq) WHERE seq IS NOT NULL;
CREATE INDEX events_of_subject ON events (subject, seq) WHERE seq IS NOT NULL;
CREATE INDEX events_unnumbered ON events (id) WHERE seq IS NULL;
CREATE INDEX events_by_age ON events (time) WHERE seq IS NOT NULL;

CREATE TABLE audit (
    id TEXT NOT NULL PRIMARY KEY,
    time BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    object_id TEXT NOT NULL,
    object_name TEXT NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    address TEXT NOT NULL
);
CREATE INDEX audit_by_age ON audit (time, id);
CREATE INDEX audit_of_object ON audit (object_id, time, id);

-- The catalogue that an administrator imported, at most one: facts under zstd.
CREATE TABLE csp_catalogues (
    id TEXT NOT NULL PRIMARY KEY,
    version TEXT NOT NULL,
    nodes BIGINT NOT NULL,
    imported_at BIGINT NOT NULL,
    imported_by TEXT NOT NULL,
    file BLOB NOT NULL
);

-- What administrators decided about nodes; scope is path, edition and build in one, each decided about once.
CREATE TABLE csp_overrides (
    id TEXT NOT NULL PRIMARY KEY,
    scope TEXT NOT NULL UNIQUE,
    path TEXT NOT NULL,
    edition BIGINT,
    from_build TEXT,
    ruling TEXT NOT NULL,
    allowed TEXT,
    reason TEXT NOT NULL,
    made_by TEXT NOT NULL,
    made_at BIGINT NOT NULL
);
CREATE INDEX csp_overrides_by_age ON csp_overrides (made_at, id);

-- How devices of a build and an edition answered, for each node of the catalogue; no device is named.
CREATE TABLE node_answers (
    os_build BIGINT NOT NULL,
    os_edition BIGINT NOT NULL,
    path TEXT NOT NULL,
    verb TEXT NOT NULL,
    status BIGINT NOT NULL,
    answers BIGINT NOT NULL,
    first_revision BIGINT NOT NULL,
    last_revision BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (os_build, os_edition, path, verb, status)
);
CREATE INDEX node_answers_of_path ON node_answers (path);
CREATE INDEX node_answers_by_age ON node_answers (last_at);

-- The CSPs of a build and an edition with their versions, as a device of them told last; a list in JSON.
CREATE TABLE csp_versions (
    os_build BIGINT NOT NULL,
    os_edition BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    csps TEXT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (os_build, os_edition)
);
