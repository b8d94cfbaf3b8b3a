//! Which lasting refusals of a mail server are of the mail, and which are of us (RFC 3463, RFC 5321 section 4.2.3).
//!
//! A server says 5yz both where nobody of that name is there and where it does not know us yet, where our sign-in may not
//! write as that sender, or where we sent too much today. Only the first stays so whatever anybody does.

use super::exchange::Step;

/// Whether a refusal of class 5 at that step says that this recipient cannot be reached; `words` is the text of the reply.
pub(super) fn is_of_the_recipient(step: Step, code: &str, words: &str) -> bool {
    if matches!(step, Step::Connect | Step::Sender) {
        return false;
    }
    match enhanced(words) {
        // Addresses: but for what says nothing more, and what is of the sender's.
        Some([5, 1, detail]) => !matches!(detail, 0 | 7 | 8),
        // Mailboxes: disabled, full, too small, a list without an end. Others number refusals of their own behind these.
        Some([5, 2, detail]) => (1..=4).contains(&detail),
        Some(_) => false,
        None if step != Step::Recipient => false,
        // The domain takes no mail (RFC 7504).
        None if code == "556" => true,
        None => matches!(code, "550" | "551" | "553") && are_about_the_mailbox(words),
    }
}

/// What refusals of a mailbox say.
const OF_MAILBOXES: [&str; 9] =
    ["mailbox", "user", "recipient", "account", "no such", "unknown", "unrouteable", "not exist", "n't exist"];

/// What stands in refusals of a sender, of his server or of his permissions, though they may name a user as well. Some
/// servers judge all of that at the recipient only.
const OF_SENDERS: [&str; 19] = [
    "sender",
    "relay",
    "auth",
    "client",
    "host",
    "helo",
    "ehlo",
    "policy",
    "prohibit",
    "permission",
    "spf",
    "dkim",
    "dmarc",
    "spam",
    "black",
    "block",
    "list",
    "limit",
    "too many",
];

/// Whether the words of a refusal without an enhanced code are about the mailbox of the recipient, or there are none.
fn are_about_the_mailbox(words: &str) -> bool {
    // An address tells nothing, whatever stands in it.
    let is_word = |word: &&str| !word.contains('@') && word.contains(char::is_alphanumeric);
    let words: Vec<&str> = words.split_whitespace().filter(is_word).collect();
    let words = words.join(" ").to_ascii_lowercase();
    let names = |any: &[&str]| any.iter().any(|part| words.contains(part));
    words.is_empty() || (names(&OF_MAILBOXES) && !names(&OF_SENDERS))
}

/// The enhanced status code with which a text begins.
fn enhanced(words: &str) -> Option<[u16; 3]> {
    let mut parts = words.split_whitespace().next()?.split('.').map(str::parse);
    let code = [parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?];
    parts.next().is_none().then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_can_put_right_ends_no_mail() {
        let final_ones = [
            (Step::Recipient, "550", "5.1.1 there is nobody of that name"),
            (Step::Recipient, "556", "5.1.10 the domain takes no mail"),
            (Step::Recipient, "550", "5.2.1 the mailbox is disabled"),
            (Step::Content, "552", "5.2.2 the mailbox is full"),
            (Step::Recipient, "550", "no such user here"),
            (Step::Recipient, "553", "mailbox name not allowed"),
            (Step::Recipient, "550", ""),
            (Step::Recipient, "550", "<relay@blocklist.example.test>:"),
            (Step::Recipient, "550", "Unrouteable address"),
            (Step::Recipient, "550", "Requested action not taken: mailbox unavailable"),
            (Step::Recipient, "550", "<sender@example.test>: Recipient address rejected: user unknown"),
            (Step::Recipient, "551", "User not local; please try <ada@example.org>"),
            (Step::Recipient, "550", "This account does not exist"),
            (Step::Recipient, "556", "no mail for this domain, see our policy"),
        ];
        for (step, code, words) in final_ones {
            assert!(is_of_the_recipient(step, code, words), "{step:?} {code} {words}");
        }
        let ours = [
            (Step::Connect, "554", "no mail from your network"),
            (Step::Connect, "535", "5.7.8 wrong password"),
            (Step::Sender, "553", "5.7.1 sender address is not owned by the login"),
            (Step::Sender, "550", "5.1.1 who are you"),
            (Step::Recipient, "554", "5.7.1 <ada@example.test>: Relay access denied"),
            (Step::Recipient, "550", "relay not permitted"),
            (Step::Recipient, "550", "5.1.0 Sender address rejected: unknown"),
            (Step::Recipient, "550", "5.1.8 the sender's domain is not found"),
            (Step::Content, "550", "5.7.60 client has no permission to send as this sender"),
            (Step::Content, "554", "5.2.252 may not send as"),
            (Step::Content, "550", "5.4.5 daily limit"),
            (Step::Content, "550", "looks like spam"),
            (Step::Data, "503", "5.5.1 no valid recipients"),
            (Step::Recipient, "500", "unknown command"),
            (Step::Recipient, "550", "Administrative prohibition"),
            (Step::Recipient, "550", "Sender verify failed"),
            (
                Step::Recipient,
                "550",
                "Verification failed for <user@example.test> No such user here Sender verify failed",
            ),
            (Step::Recipient, "550", "Rejected because 192.0.2.1 is in a black list at bl.example.net"),
            (Step::Recipient, "550", "authentication required"),
            (Step::Recipient, "550", "Authentication is required for this user"),
            (Step::Recipient, "550", "SPF check failed"),
            (Step::Recipient, "550", "Access denied"),
            (Step::Recipient, "550", "<user@mailbox.example.test>: rejected"),
            (Step::Recipient, "550", "too many recipients today"),
            (Step::Recipient, "553", "sorry, that domain isn't in my list of allowed rcpthosts"),
        ];
        for (step, code, words) in ours {
            assert!(!is_of_the_recipient(step, code, words), "{step:?} {code} {words}");
        }
    }
}
