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
        None => {
            step == Step::Recipient
                && matches!(code, "550" | "551" | "553" | "556")
                && !words.to_ascii_lowercase().contains("relay")
        }
    }
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
        ];
        for (step, code, words) in ours {
            assert!(!is_of_the_recipient(step, code, words), "{step:?} {code} {words}");
        }
    }
}
