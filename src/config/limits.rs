//! `[limits]`.

use serde::{Deserialize, Serialize};

/// `[limits]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest body of an enrollment request, in bytes. Default 1 MiB.
    pub soap_body_bytes: usize,
    /// Largest message of a device, in bytes. Default 5 MiB.
    pub message_bytes: usize,
    /// Largest file that a device uploads, in bytes. Default 100 MiB.
    pub upload_bytes: usize,
    /// Largest message to a device, in bytes. Default 400000.
    pub reply_bytes: usize,
    /// Most commands in one message to a device. Default 100.
    pub reply_commands: usize,
    /// Largest object that a device may send in chunks, and that is sent to one in chunks, in bytes. Default 32 MiB.
    pub object_bytes: u64,
    /// Most chunks of one object. Default 8192.
    pub object_chunks: u32,
    /// Most bytes of large objects that are kept of one device. Default 256 MiB.
    pub device_object_bytes: u64,
    /// Most bytes of large objects that are kept of all devices. Default 4 GiB.
    pub all_object_bytes: u64,
    /// Whether a device message without Final, such as a heartbeat, is answered with Alert 1222 and without Final.
    /// Default true.
    pub next_message: bool,
    /// Whether messages in WBXML are read, and answered in kind; otherwise 415. Default true.
    pub wbxml: bool,
    /// Messages that one device may send in a minute. Default 600.
    pub device_requests_per_minute: u32,
    /// New rows in a day that callers without a credential can cause in the ledger of enrollments and the audit trail, all
    /// together; one network has a fifth of that. Default 50000.
    pub ledger_rows_per_day: u32,
    /// Minutes after which a management session that says nothing is over. Default 30.
    pub session_timeout_minutes: u32,
    /// Deepest nesting of XML elements. Default 64.
    pub xml_depth: usize,
    /// Most attributes of an XML element. Default 64.
    pub xml_attributes: usize,
    /// Most tags, texts and comments in one XML document. Default 200000.
    pub xml_events: usize,
    /// Wrong passwords in a row before an account has to wait. Default 10.
    pub password_failures: u32,
    /// Further wrong passwords an account has in an hour, at most 100. Default 60.
    pub password_failures_per_hour: u32,
    /// Wrong passwords in a row before an address has to wait. Default 30.
    pub address_failures: u32,
    /// Further wrong passwords an address has in an hour. Default 100.
    pub address_failures_per_hour: u32,
    /// Most connections open at once. Default 4096.
    pub connections: usize,
    /// Most connections of one address open at once (of one /64 for IPv6; trusted proxies are exempt). Default 512.
    pub connections_per_address: usize,
    /// Seconds for the TLS handshake. Default 10.
    pub handshake_seconds: u32,
    /// Seconds for the header of a request. Default 10.
    pub header_seconds: u32,
    /// Seconds after which an idle connection is closed. Default 30.
    pub idle_seconds: u32,
    /// Seconds for the body of a request. Default 60.
    pub body_seconds: u32,
    /// Seconds that running requests have at shutdown. Default 10.
    pub drain_seconds: u32,
    /// Largest header of a request, in bytes. Default 64 KiB.
    pub header_bytes: usize,
    /// Most header fields of a request. Default 100.
    pub header_fields: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            soap_body_bytes: 1024 * 1024,
            message_bytes: 5 * 1024 * 1024,
            upload_bytes: 100 * 1024 * 1024,
            reply_bytes: 400_000,
            reply_commands: 100,
            object_bytes: 32 * 1024 * 1024,
            object_chunks: 8192,
            device_object_bytes: 256 * 1024 * 1024,
            all_object_bytes: 4096 * 1024 * 1024,
            next_message: true,
            wbxml: true,
            device_requests_per_minute: 600,
            ledger_rows_per_day: 50_000,
            session_timeout_minutes: 30,
            xml_depth: 64,
            xml_attributes: 64,
            xml_events: 200_000,
            password_failures: 10,
            password_failures_per_hour: 60,
            address_failures: 30,
            address_failures_per_hour: 100,
            connections: 4096,
            connections_per_address: 512,
            handshake_seconds: 10,
            header_seconds: 10,
            idle_seconds: 30,
            body_seconds: 60,
            drain_seconds: 10,
            header_bytes: 64 * 1024,
            header_fields: 100,
        }
    }
}
