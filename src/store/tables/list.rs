//! The list.

use super::{Column, Kind, Link, Table};

pub(in crate::store) static TABLES: [Table; 24] = [
    Table {
        name: "settings",
        columns: &[text("key"), text("value")],
        key: 1,
        page: PAGE,
        first: "SELECT * FROM settings WHERE key <> 'installation' ORDER BY key LIMIT $1",
        next: "SELECT * FROM settings WHERE key > $1 AND key <> 'installation' ORDER BY key LIMIT $2",
        insert: "INSERT INTO settings (key, value) VALUES ($1, $2)",
        count: "SELECT COUNT(*) AS number FROM settings WHERE key <> 'installation'",
        delete: "DELETE FROM settings",
        link: None,
    },
    Table {
        name: "users",
        columns: &[
            text("id"),
            text("email"),
            text("email_key"),
            text("local_part"),
            text("email_search"),
            text("name"),
            text("name_search"),
            text("kind"),
            text("role"),
            int("enabled"),
            text("password_hash"),
            int("credential_version"),
            int("device_limit"),
            int("created_at"),
            int("version"),
            int("enrollments_seq"),
        ],
        key: 1,
        page: PAGE,
        first: "SELECT * FROM users ORDER BY id LIMIT $1",
        next: "SELECT * FROM users WHERE id > $1 ORDER BY id LIMIT $2",
        insert: "\
            INSERT INTO users (id, email, email_key, local_part, email_search, name, name_search, kind, role, enabled, \
            password_hash, credential_version, device_limit, created_at, version, enrollments_seq) VALUES ($1, $2, $3, \
            $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        count: "SELECT COUNT(*) AS number FROM users",
        delete: "DELETE FROM users",
        link: None,
    },
    Table {
        name: "tokens",
        columns: &[
            text("id"),
            text("name"),
            bytes("secret_hash"),
            text("role"),
            text("user_id"),
            int("created_at"),
            int("expires_at"),
            int("revoked_at"),
        ],
        key: 1,
        page: PAGE,
        first: "SELECT * FROM tokens ORDER BY id LIMIT $1",
        next: "SELECT * FROM tokens WHERE id > $1 ORDER BY id LIMIT $2",
        insert: "\
            INSERT INTO tokens (id, name, secret_hash, role, user_id, created_at, expires_at, revoked_at) VALUES ($1, \
            $2, $3, $4, $5, $6, $7, $8)",
        count: "SELECT COUNT(*) AS number FROM tokens",
        delete: "DELETE FROM tokens",
        link: None,
    },
    Table {
        name: "devices",
        columns: &[
            text("id"),
            text("name"),
            text("hw_dev_id"),
            text("search"),
            text("enrollment_id"),
            text("linked_device_id"),
            int("created_at"),
        ],
        key: 1,
        page: PAGE,
        first: "SELECT * FROM devices ORDER BY id LIMIT $1",
        next: "SELECT * FROM devices WHERE id > $1 ORDER BY id LIMIT $2",
        insert: "\
            INSERT INTO devices (id, name, hw_dev_id, search, enrollment_id, linked_device_id, created_at) VALUES ($1, \
            $2, $3, $4, $5, $6, $7)",
        count: "SELECT COUNT(*) AS number FROM devices",
        delete: "DELETE FROM devices",
        link: Some(Link {
            column: "linked_device_id",
            update: "UPDATE devices SET linked_device_id = $2 WHERE id = $1",
        }),
    },
    Table {
        name: "enrollments",
        columns: &[
            text("id"),
            text("device_id"),
            text("user_id"),
            text("state"),
            int("is_open"),
            text("mode"),
            text("kind"),
            text("claimed_device_id"),
            text("hw_dev_id"),
            text("reported_dev_id"),
            text("reported_source"),
            text("os_version"),
            int("os_edition"),
            text("context"),
            bytes("account"),
            int("enrolled_at"),
            int("last_seen_at"),
            int("inventory_at"),
            int("state_since"),
            text("closed_reason"),
            text("warning"),
            int("locked_to_tenant"),
            text("entra_device_id"),
            int("version"),
        ],
        key: 1,
        page: PAGE,
        first: "SELECT * FROM enrollments ORDER BY id LIMIT $1",
        next: "SELECT * FROM enrollments WHERE id > $1 ORDER BY id LIMIT $2",
        insert: "\
            INSERT INTO enrollments (id, device_id, user_id, state, is_open, mode, kind, claimed_device_id, hw_dev_id, \
            reported_dev_id, reported_source, os_version, os_edition, context, account, enrolled_at, last_seen_at, \
            inventory_at, state_since, closed_reason, warning, locked_to_tenant, entra_device_id, version) VALUES ($1, $2, $3, \
            $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)",
        count: "SELECT COUNT(*) AS number FROM enrollments",
        delete: "DELETE FROM enrollments",
        link: None,
    },
    Table {
        name: "enrollment_identifiers",
        columns: &[text("identifier"), text("enrollment_id")],
        key: 2,
        page: PAGE,
        first: "SELECT * FROM enrollment_identifiers ORDER BY identifier, enrollment_id LIMIT $1",
        next: "\
            SELECT * FROM enrollment_identifiers WHERE (identifier, enrollment_id) > ($1, $2) ORDER BY identifier, \
            enrollment_id LIMIT $3",
        insert: "INSERT INTO enrollment_identifiers (identifier, enrollment_id) VALUES ($1, $2)",
        count: "SELECT COUNT(*) AS number FROM enrollment_identifiers",
        delete: "DELETE FROM enrollment_identifiers",
        link: None,
    },
    Table {
        name: "conversations",
        columns: &[text("enrollment_id"), text("state")],
        key: 1,
        page: PAGE,
        first: "SELECT * FROM conversations ORDER BY enrollment_id LIMIT $1",
        next: "SELECT * FROM conversations WHERE enrollment_id > $1 ORDER BY enrollment_id LIMIT $2",
        insert: "INSERT INTO conversations (enrollment_id, state) VALUES ($1, $2)",
        count: "SELECT COUNT(*) AS number FROM conversations",
        delete: "DELETE FROM conversations",
        link: None,
    },
    Table {
        name: "push",
        columns: &[
            text("enrollment_id"),
            text("pfn"),
            int("pfn_status"),
            int("pfn_at"),
            bytes("channel"),
            int("channel_seq"),
            int("channel_at"),
            text("refusal"),
            text("status"),
            int("status_at"),
            int("wake_at"),
            text("claimed_by"),
            int("tries"),
            text("outcome"),
            int("sent_at"),
            text("connection"),
            text("detail"),
            int("not_before"),
        ],
        key: 1,
        page: PAGE,
        first: "SELECT * FROM push ORDER BY enrollment_id LIMIT $1",
        next: "SELECT * FROM push WHERE enrollment_id > $1 ORDER BY enrollment_id LIMIT $2",
        insert: "\
            INSERT INTO push (enrollment_id, pfn, pfn_status, pfn_at, channel, channel_seq, channel_at, refusal, \
            status, status_at, wake_at, claimed_by, tries, outcome, sent_at, connection, detail, not_before) VALUES ($1, \
            $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        count: "SELECT COUNT(*) AS number FROM push",
        delete: "DELETE FROM push",
        link: None,
    },
    Table {
        name: "inventory",
        columns: &[text("device_id"), text("node_key"), text("loc_uri"), text("value"), text("format"), int("at")],
        key: 2,
        page: PAGE,
        first: "SELECT * FROM inventory ORDER BY device_id, node_key LIMIT $1",
        next: "SELECT * FROM inventory WHERE (device_id, node_key) > ($1, $2) ORDER BY device_id, node_key LIMIT $3",
        insert: "INSERT INTO inventory (device_id, node_key, loc_uri, value, format, at) VALUES ($1, $2, $3, $4, $5, $6)",
        count: "SELECT COUNT(*) AS number FROM inventory",
        delete: "DELETE FROM inventory",
        link: None,
    },
    Table {
        name: "missing_nodes",
        columns: &[text("device_id"), text("loc_uri"), text("os_version"), int("status")],
        key: 2,
        page: PAGE,
        first: "SELECT * FROM missing_nodes ORDER BY device_id, loc_uri LIMIT $1",
        next: "SELECT * FROM missing_nodes WHERE (device_id, loc_uri) > ($1, $2) ORDER BY device_id, loc_uri LIMIT $3",
        insert: "INSERT INTO missing_nodes (device_id, loc_uri, os_version, status) VALUES ($1, $2, $3, $4)",
        count: "SELECT COUNT(*) AS number FROM missing_nodes",
        delete: "DELETE FROM missing_nodes",
        link: None,
    },
    Table {
        name: "certificates",
        columns: &[
            text("serial"),
            bytes("sha256"),
            text("enrollment_id"),
            text("subject"),
            bytes("der"),
            bytes("key_sha256"),
            int("not_before"),
            int("not_after"),
            int("revoked_at"),
            text("revoked_reason"),
        ],
        key: 1,
        page: PAGE,
        first: "SELECT * FROM certificates ORDER BY serial LIMIT $1",
        next: "SELECT * FROM certificates WHERE serial > $1 ORDER BY serial LIMIT $2",
        insert: "\
            INSERT INTO certificates (serial, sha256, enrollment_id, subject, der, key_sha256, not_before, not_after, \
            revoked_at, revoked_reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        count: "SELECT COUNT(*) AS number FROM certificates",
        delete: "DELETE FROM certificates",
        link: None,
    },
    Table {
        name: "commands",
        columns: &[
            text("id"),
            text("enrollment_id"),
            text("device_id"),
            text("action_name"),
            bytes("action"),
            int("is_raw"),
            text("state"),
            int("is_open"),
            text("detail"),
            int("status"),
            text("hresult"),
            int("priority"),
            int("alone"),
            bytes("body"),
            bytes("items"),
            int("step"),
            int("offers"),
            int("retries"),
            text("offer_session"),
            int("offer_msg"),
            int("offered_at"),
            int("not_before"),
            int("expires_at"),
            int("created_at"),
            int("finished_at"),
            text("created_by"),
            text("reason"),
            int("revealed"),
            bytes("rest"),
            int("needs_user"),
            int("followed_since"),
            int("questions"),
            text("large_value"),
        ],
        key: 1,
        page: BULKY,
        first: "SELECT * FROM commands ORDER BY id LIMIT $1",
        next: "SELECT * FROM commands WHERE id > $1 ORDER BY id LIMIT $2",
        insert: "\
            INSERT INTO commands (id, enrollment_id, device_id, action_name, action, is_raw, state, is_open, detail, \
            status, hresult, priority, alone, body, items, step, offers, retries, offer_session, offer_msg, \
            offered_at, not_before, expires_at, created_at, finished_at, created_by, reason, revealed, rest, \
            needs_user, followed_since, questions, large_value) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, \
            $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, \
            $33)",
        count: "SELECT COUNT(*) AS number FROM commands",
        delete: "DELETE FROM commands",
        link: None,
    },
    Table {
        name: "objects",
        columns: &[text("id"), text("enrollment_id"), text("command_id"), int("bytes"), int("is_whole"), int("at")],
        key: 1,
        page: PAGE,
        first: "SELECT * FROM objects ORDER BY id LIMIT $1",
        next: "SELECT * FROM objects WHERE id > $1 ORDER BY id LIMIT $2",
        insert: "\
            INSERT INTO objects (id, enrollment_id, command_id, bytes, is_whole, at) VALUES ($1, $2, $3, $4, $5, $6)",
        count: "SELECT COUNT(*) AS number FROM objects",
        delete: "DELETE FROM objects",
        link: None,
    },
    Table {
        name: "object_parts",
        columns: &[text("object_id"), int("seq"), int("start"), int("bytes"), bytes("body")],
        key: 2,
        page: BULKY,
        first: "SELECT * FROM object_parts ORDER BY object_id, seq LIMIT $1",
        next: "SELECT * FROM object_parts WHERE (object_id, seq) > ($1, $2) ORDER BY object_id, seq LIMIT $3",
        insert: "INSERT INTO object_parts (object_id, seq, start, bytes, body) VALUES ($1, $2, $3, $4, $5)",
        count: "SELECT COUNT(*) AS number FROM object_parts",
        delete: "DELETE FROM object_parts",
        link: None,
    },
    Table {
        name: "sessions",
        columns: &[
            text("id"),
            text("enrollment_id"),
            text("device_id"),
            text("wire_id"),
            int("opened_at"),
            int("last_at"),
            int("closed_at"),
            text("state"),
            int("messages"),
            text("login"),
            text("mode"),
            text("correlation"),
            text("client_request_id"),
            text("remarks"),
            text("proofs"),
            text("tokens"),
        ],
        key: 1,
        page: PAGE,
        first: "SELECT * FROM sessions ORDER BY id LIMIT $1",
        next: "SELECT * FROM sessions WHERE id > $1 ORDER BY id LIMIT $2",
        insert: "\
            INSERT INTO sessions (id, enrollment_id, device_id, wire_id, opened_at, last_at, closed_at, state, \
            messages, login, mode, correlation, client_request_id, remarks, proofs, tokens) VALUES ($1, $2, $3, $4, \
            $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        count: "SELECT COUNT(*) AS number FROM sessions",
        delete: "DELETE FROM sessions",
        link: None,
    },
    Table {
        name: "transcripts",
        columns: &[
            text("session_id"),
            int("seq"),
            int("at"),
            text("direction"),
            text("encoding"),
            int("status"),
            bytes("body"),
            bytes("given"),
        ],
        key: 3,
        page: BULKY,
        first: "SELECT * FROM transcripts ORDER BY session_id, seq, at LIMIT $1",
        next: "SELECT * FROM transcripts WHERE (session_id, seq, at) > ($1, $2, $3) ORDER BY session_id, seq, at LIMIT $4",
        insert: "\
            INSERT INTO transcripts (session_id, seq, at, direction, encoding, status, body, given) VALUES ($1, $2, $3, \
            $4, $5, $6, $7, $8)",
        count: "SELECT COUNT(*) AS number FROM transcripts",
        delete: "DELETE FROM transcripts",
        link: None,
    },
    Table {
        name: "answers",
        columns: &[
            text("session_id"),
            text("enrollment_id"),
            int("msg_id"),
            bytes("digest"),
            int("at"),
            bytes("sealed"),
        ],
        key: 1,
        page: BULKY,
        first: "SELECT * FROM answers ORDER BY session_id LIMIT $1",
        next: "SELECT * FROM answers WHERE session_id > $1 ORDER BY session_id LIMIT $2",
        insert: "\
            INSERT INTO answers (session_id, enrollment_id, msg_id, digest, at, sealed) VALUES ($1, $2, $3, $4, $5, \
            $6)",
        count: "SELECT COUNT(*) AS number FROM answers",
        delete: "DELETE FROM answers",
        link: None,
    },
    Table {
        name: "attempts",
        columns: &[
            text("id"),
            int("started_at"),
            int("updated_at"),
            text("email"),
            text("email_key"),
            text("address"),
            text("phase"),
            text("outcome"),
            text("cause"),
            int("hresult"),
            text("trace_id"),
            text("device_name"),
            text("os_version"),
            text("enrollment_id"),
        ],
        key: 1,
        page: PAGE,
        first: "SELECT * FROM attempts ORDER BY id LIMIT $1",
        next: "SELECT * FROM attempts WHERE id > $1 ORDER BY id LIMIT $2",
        insert: "\
            INSERT INTO attempts (id, started_at, updated_at, email, email_key, address, phase, outcome, cause, \
            hresult, trace_id, device_name, os_version, enrollment_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, \
            $10, $11, $12, $13, $14)",
        count: "SELECT COUNT(*) AS number FROM attempts",
        delete: "DELETE FROM attempts",
        link: None,
    },
    Table {
        name: "events",
        columns: &[text("id"), text("kind"), text("subject"), int("time"), text("data"), int("seq")],
        key: 1,
        page: PAGE,
        first: "SELECT * FROM events ORDER BY id LIMIT $1",
        next: "SELECT * FROM events WHERE id > $1 ORDER BY id LIMIT $2",
        insert: "INSERT INTO events (id, kind, subject, time, data, seq) VALUES ($1, $2, $3, $4, $5, $6)",
        count: "SELECT COUNT(*) AS number FROM events",
        delete: "DELETE FROM events",
        link: None,
    },
    Table {
        name: "audit",
        columns: &[
            text("id"),
            int("time"),
            text("actor"),
            text("action"),
            text("object_kind"),
            text("object_id"),
            text("object_name"),
            text("outcome"),
            text("detail"),
            text("address"),
        ],
        key: 1,
        page: PAGE,
        first: "SELECT * FROM audit ORDER BY id LIMIT $1",
        next: "SELECT * FROM audit WHERE id > $1 ORDER BY id LIMIT $2",
        insert: "\
            INSERT INTO audit (id, time, actor, action, object_kind, object_id, object_name, outcome, detail, address) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        count: "SELECT COUNT(*) AS number FROM audit",
        delete: "DELETE FROM audit",
        link: None,
    },
    Table {
        name: "csp_catalogues",
        columns: &[text("id"), text("version"), int("nodes"), int("imported_at"), text("imported_by"), bytes("file")],
        key: 1,
        page: BULKY,
        first: "SELECT * FROM csp_catalogues ORDER BY id LIMIT $1",
        next: "SELECT * FROM csp_catalogues WHERE id > $1 ORDER BY id LIMIT $2",
        insert: "\
            INSERT INTO csp_catalogues (id, version, nodes, imported_at, imported_by, file) VALUES ($1, $2, $3, $4, $5, \
            $6)",
        count: "SELECT COUNT(*) AS number FROM csp_catalogues",
        delete: "DELETE FROM csp_catalogues",
        link: None,
    },
    Table {
        name: "csp_overrides",
        columns: &[
            text("id"),
            text("scope"),
            text("path"),
            int("edition"),
            text("from_build"),
            text("ruling"),
            text("allowed"),
            text("reason"),
            text("made_by"),
            int("made_at"),
        ],
        key: 1,
        page: PAGE,
        first: "SELECT * FROM csp_overrides ORDER BY id LIMIT $1",
        next: "SELECT * FROM csp_overrides WHERE id > $1 ORDER BY id LIMIT $2",
        insert: "\
            INSERT INTO csp_overrides (id, scope, path, edition, from_build, ruling, allowed, reason, made_by, made_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        count: "SELECT COUNT(*) AS number FROM csp_overrides",
        delete: "DELETE FROM csp_overrides",
        link: None,
    },
    Table {
        name: "node_answers",
        columns: &[
            int("os_build"),
            int("os_edition"),
            text("path"),
            text("verb"),
            int("status"),
            int("answers"),
            int("first_revision"),
            int("last_revision"),
            int("last_at"),
        ],
        key: 5,
        page: PAGE,
        first: "SELECT * FROM node_answers ORDER BY os_build, os_edition, path, verb, status LIMIT $1",
        next: "\
            SELECT * FROM node_answers WHERE (os_build, os_edition, path, verb, status) > ($1, $2, $3, $4, $5) ORDER BY \
            os_build, os_edition, path, verb, status LIMIT $6",
        insert: "\
            INSERT INTO node_answers (os_build, os_edition, path, verb, status, answers, first_revision, last_revision, \
            last_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        count: "SELECT COUNT(*) AS number FROM node_answers",
        delete: "DELETE FROM node_answers",
        link: None,
    },
    Table {
        name: "csp_versions",
        columns: &[int("os_build"), int("os_edition"), int("revision"), text("csps"), int("last_at")],
        key: 2,
        page: BULKY,
        first: "SELECT * FROM csp_versions ORDER BY os_build, os_edition LIMIT $1",
        next: "\
            SELECT * FROM csp_versions WHERE (os_build, os_edition) > ($1, $2) ORDER BY os_build, os_edition LIMIT $3",
        insert: "\
            INSERT INTO csp_versions (os_build, os_edition, revision, csps, last_at) VALUES ($1, $2, $3, $4, $5)",
        count: "SELECT COUNT(*) AS number FROM csp_versions",
        delete: "DELETE FROM csp_versions",
        link: None,
    },
];

pub(super) const TRUNCATE: &str = "\
    TRUNCATE csp_versions, node_answers, csp_overrides, csp_catalogues, audit, events, attempts, answers, transcripts, \
    sessions, object_parts, objects, commands, certificates, missing_nodes, inventory, push, conversations, \
    enrollment_identifiers, enrollments, devices, tokens, users, settings, leases";

const fn int(name: &'static str) -> Column {
    Column { name, kind: Kind::Int }
}

const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text }
}

const fn bytes(name: &'static str) -> Column {
    Column { name, kind: Kind::Bytes }
}

/// Rows of a page.
const PAGE: i64 = 1000;
/// Rows of a page whose rows may be a megabyte each.
const BULKY: i64 = 50;
