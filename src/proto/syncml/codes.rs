//! What status codes and HRESULTs mean, in words and in consequences (management reference 3).

use super::command::Verb;
use super::message::StatusCode;

/// What a status code means for the command it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not final: the device is still working (101), or it took a chunk (213).
    Wait,
    /// Done, or as good as done.
    Done,
    /// Passing: try again later.
    Retry,
    /// Refused.
    Failed,
    /// The device cannot do this.
    Unsupported,
}

/// The verdict on a command of that verb.
#[must_use]
pub fn verdict(verb: Verb, code: StatusCode) -> Verdict {
    match (code.0, verb) {
        (101 | 213, _) => Verdict::Wait,
        (214 | 215 | 408 | 417 | 420 | 424 | 426 | 503 | 506 | 510 | 512 | 514, _) => Verdict::Retry,
        (216, _) => Verdict::Failed,
        (200..=299, _) | (404 | 410, Verb::Get | Verb::Delete) => Verdict::Done,
        (404 | 410, Verb::Exec) | (406 | 501, _) => Verdict::Unsupported,
        _ => Verdict::Failed,
    }
}

/// How often, and after how many minutes, a command is sent again that was answered with [`Verdict::Retry`]; the pause
/// doubles each time.
#[must_use]
pub fn retry_rule(code: StatusCode) -> (u32, i64) {
    match code.0 {
        // The device cancelled what it was told: the next session is early enough.
        214 | 512 | 514 => (5, 0),
        // The user chose not to, or the Atomic around it failed.
        215 => (1, 2),
        // The device is full.
        420 => (1, 24 * 60),
        _ => (5, 2),
    }
}

/// A status code in words.
#[must_use]
pub fn status_words(code: StatusCode) -> &'static str {
    WORDS.iter().find(|(number, _)| *number == code.0).map_or_else(
        || match code.0 {
            100..=199 => "in progress",
            200..=299 => "done",
            300..=399 => "redirected",
            400..=499 => "refused",
            500..=599 => "failed on the device",
            _ => "not a status code",
        },
        |(_, words)| words,
    )
}

/// The published name of an HRESULT and how to read it.
#[must_use]
pub fn hresult_name(hresult: u32) -> Option<(&'static str, &'static str)> {
    HRESULTS.iter().find(|(number, ..)| *number == hresult).map(|(_, name, reading)| (*name, *reading))
}

const WORDS: &[(u16, &str)] = &[
    (101, "in progress"),
    (200, "done"),
    (201, "added"),
    (202, "accepted, runs on its own"),
    (203, "done; the answer is not the device's own"),
    (204, "done, without content"),
    (205, "done; what was shown is to be read again"),
    (206, "done in part"),
    (211, "was not there, nothing to delete"),
    (212, "authenticated for the session"),
    (213, "chunk accepted"),
    (214, "cancelled by the device for this session"),
    (215, "not executed"),
    (216, "rolled back with its Atomic"),
    (300, "more than one choice"),
    (301, "moved for good"),
    (302, "found elsewhere"),
    (303, "to be read elsewhere"),
    (304, "not modified"),
    (305, "to be asked through a proxy"),
    (400, "malformed command"),
    (401, "credentials not valid"),
    (402, "payment required"),
    (403, "forbidden"),
    (404, "no such node on this device"),
    (405, "not allowed on this node now"),
    (406, "not supported by this device"),
    (407, "authentication required"),
    (408, "timed out on the device"),
    (409, "conflict on the device"),
    (410, "gone"),
    (411, "size required"),
    (412, "incomplete command"),
    (413, "too large"),
    (414, "LocURI too long"),
    (415, "format or type not supported"),
    (416, "announced size too large"),
    (417, "device asks to retry later"),
    (418, "exists already"),
    (420, "device is full"),
    (424, "size of a chunked object does not match"),
    (425, "permission denied"),
    (426, "part of the Items not accepted"),
    (427, "node is not empty"),
    (428, "could not be moved"),
    (500, "failed on the device"),
    (501, "command not implemented"),
    (503, "service on the device unavailable"),
    (505, "DTD version not supported"),
    (506, "processing error"),
    (507, "Atomic failed, nothing of it applied"),
    (508, "refresh required"),
    (510, "data store failure on the device"),
    (511, "server failure on the device"),
    (512, "failed on the device, for this session"),
    (513, "protocol version not supported"),
    (514, "already cancelled by the device"),
    (516, "Atomic failed and could not be rolled back: the device is in a mixed state"),
    (517, "answer to the Atomic too large for one message: split the Atomic"),
];

const HRESULTS: &[(u32, &str, &str)] = &[
    (0x8600_0000, "INVALIDNODEOPTIONS", "node options not valid"),
    (0x8600_0001, "INVALIDDATATYPE", "wrong format"),
    (0x8600_0002, "NODENOTFOUND", "no such node"),
    (0x8600_0003, "ILLEGALOPERATIONINATRANSACTION", "not allowed inside an Atomic"),
    (0x8600_0004, "ILLEGALOPERATIONOUTSIDEATRANSACTION", "allowed inside an Atomic only"),
    (0x8600_0005, "ONEORMOREEXECUTIONFAILURES", "a command of the group failed"),
    (0x8600_0006, "ONEORMORECANCELFAILURES", "a command of the group could not be cancelled"),
    (0x0600_0007, "COMMANDFAILEDDUETOTRANSACTIONROLLBACK", "rolled back"),
    (0x8600_0008, "COMMITFAILURE", "commit failed"),
    (0x8600_0009, "ROLLBACKFAILURE", "rollback failed"),
    (0x8600_000A, "CLEANUPFAILURE", "clean-up failed"),
    (0x8600_000C, "CSPREGISTRATIONCORRUPT", "registration of the CSP is damaged"),
    (0x8600_000D, "NODEFAILEDTOCANCEL", "node could not be cancelled"),
    (0x8600_000E, "DEPENDENTOPERATIONFAILURE", "an earlier operation failed"),
    (0x8600_000F, "CSPNODEILLEGALSTATE", "node is in a state that forbids it"),
    (0x8600_0010, "REQUIRESINTERNALTRANSACTIONING", "the CSP must handle the transaction itself"),
    (0x8600_0011, "COMMANDNOTALLOWED", "command not allowed on this node"),
    (0x8600_0012, "INTERCSPOPERATION", "operation across CSPs"),
    (0x8600_0013, "PROPERTYNOTSUPPORTED", "property not supported"),
    (0x8600_0014, "INVALIDSEMANTICTYPE", "wrong type"),
    (0x8600_0015, "FORBIDDENURISEGMENT", "a segment of the LocURI is not allowed"),
    (0x8600_0016, "READWRITEACCESSDENIED", "no access to the node"),
    (0x8600_0017, "SECRETDATAACCESSDENIED", "the value is secret"),
    (0x8600_0018, "XMLPARSEERROR", "the XML in the value is broken"),
    (0x8600_0019, "COMMANDTIMEOUT", "the command took too long"),
    (0x8600_0020, "IMPERSONATIONERROR", "no user to act for"),
    (0x8600_0021, "WMIOPERATIONERROR", "the WMI bridge failed"),
    (0x8600_0022, "NOIMPERSONATIONTARGET", "no user is signed in"),
    (0x8600_0023, "RESOURCEALREADYOWNED", "another source owns the setting"),
    (0x8600_0031, "RESOURCEALREADYOWNED", "another source owns the setting"),
    (0x8007_0002, "ERROR_FILE_NOT_FOUND", "file not found"),
    (0x8007_0005, "ERROR_ACCESS_DENIED", "access denied"),
    (0x8007_0057, "ERROR_INVALID_PARAMETER", "invalid argument"),
    (0x8000_4005, "E_FAIL", "unspecified failure"),
];

#[cfg(test)]
mod tests {
    use super::*;

    // covers: M-98, M-80, M-81
    #[test]
    fn unknown_codes_fall_back_to_their_class() {
        let cases = [
            (Verb::Replace, 299, Verdict::Done),
            (Verb::Replace, 499, Verdict::Failed),
            (Verb::Replace, 599, Verdict::Failed),
            (Verb::Replace, 0, Verdict::Failed),
            (Verb::Get, 404, Verdict::Done),
            (Verb::Delete, 404, Verdict::Done),
            (Verb::Replace, 404, Verdict::Failed),
            (Verb::Exec, 404, Verdict::Unsupported),
            (Verb::Exec, 202, Verdict::Done),
            (Verb::Exec, 101, Verdict::Wait),
            (Verb::Exec, 417, Verdict::Retry),
        ];
        for (verb, code, expected) in cases {
            assert_eq!(verdict(verb, StatusCode(code)), expected, "{} {code}", verb.name());
        }
        assert_eq!(status_words(StatusCode(466)), "refused");
    }

    // covers: M-89
    #[test]
    fn hresults_have_names() {
        assert_eq!(hresult_name(0x8600_0002).map(|(name, _)| name), Some("NODENOTFOUND"));
        assert_eq!(hresult_name(1), None);
    }
}
