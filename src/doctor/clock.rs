//! The clock of the server against one's own.

use time::{Duration, OffsetDateTime, PrimitiveDateTime};

use super::{Problem, Verdict};

/// Judges the `Date` of an answer; `None` when there is none that can be read.
#[must_use]
pub fn judge_clock(date: Option<&str>, now: OffsetDateTime) -> Option<Verdict> {
    let told = PrimitiveDateTime::parse(date?.trim(), HTTP_DATE).ok()?.assume_utc();
    let ahead = told - now;
    Some(if ahead.abs() > TOLERANCE {
        Verdict::Fault(Problem::ClockApart { ahead_seconds: ahead.whole_seconds() })
    } else {
        // The header is as fine as a second, and the answer was on its way.
        Verdict::Good(format!("within {} s of this machine's clock", ahead.whole_seconds().abs() + 1))
    })
}

/// Certificates are back-dated by ten minutes, tokens live a few: half of the first is what nothing minds.
const TOLERANCE: Duration = Duration::minutes(5);
const HTTP_DATE: &[time::format_description::BorrowedFormatItem<'_>] = time::macros::format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn five_minutes_are_the_limit() {
        let judge = |now| judge_clock(Some("Sat, 21 Nov 2026 12:00:00 GMT"), now);
        assert!(matches!(judge(datetime!(2026-11-21 12:04:59 UTC)), Some(Verdict::Good(_))));
        let behind = Verdict::Fault(Problem::ClockApart { ahead_seconds: -7200 });
        assert_eq!(judge(datetime!(2026-11-21 14:00:00 UTC)), Some(behind));
        let ahead = Verdict::Fault(Problem::ClockApart { ahead_seconds: 301 });
        assert_eq!(judge(datetime!(2026-11-21 11:54:59 UTC)), Some(ahead));
        assert_eq!(judge_clock(Some("yesterday"), datetime!(2026-11-21 12:00 UTC)), None);
        assert_eq!(judge_clock(None, datetime!(2026-11-21 12:00 UTC)), None);
    }
}
