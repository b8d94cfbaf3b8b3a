//! What goes wrong on purpose, and how often.

use std::str::FromStr;
use std::time::Duration;

/// Something that goes wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// An answer is lost on its way, and the device sends its message again.
    DropResponse,
    /// A message is sent a second time although its answer arrived.
    DuplicateMessage,
    /// The device loses power after commands reached it: before it carried them out, or after that and before it told so.
    DieAfterOffer,
    /// The device takes its time before it answers commands.
    Slow,
    /// The device says something wrong about commands: nothing, another status than the true one, or the status of commands
    /// that never were.
    WrongAnswer,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::DropResponse, Self::DuplicateMessage, Self::DieAfterOffer, Self::Slow, Self::WrongAnswer];

    /// Its word on the command line and in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DropResponse => "drop-response",
            Self::DuplicateMessage => "dup-msg",
            Self::DieAfterOffer => "die-after-offer",
            Self::Slow => "slow",
            Self::WrongAnswer => "wrong-answer",
        }
    }
}

/// How often each fault happens. As text: `drop-response=1%,dup-msg=0.5%,slow=5%:2s`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    shares: [f64; Fault::ALL.len()],
    /// How long a slow device takes. Default 2 seconds.
    pub pause: Duration,
}

impl Faults {
    /// The probability of a fault: of `drop-response` and `dup-msg` per message, of the others per message that brings
    /// commands.
    #[must_use]
    pub fn share(&self, fault: Fault) -> f64 {
        self.shares[fault as usize]
    }

    /// Whether nothing goes wrong on purpose.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.shares.iter().all(|share| *share == 0.0)
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self { shares: [0.0; Fault::ALL.len()], pause: Duration::from_secs(2) }
    }
}

/// Why a text names no faults.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultsError {
    /// No `=`.
    #[error("{0:?} is no fault: write NAME=SHARE, for example drop-response=1%")]
    Shape(String),
    /// No such fault.
    #[error("there is no fault {0:?}; there are drop-response, dup-msg, die-after-offer, slow and wrong-answer")]
    Name(String),
    /// Named twice.
    #[error("the fault {0} is named twice")]
    Twice(&'static str),
    /// No probability.
    #[error("{fault}={text} is no share: write a percentage from 0% to 100%, or a number from 0 to 1")]
    Share {
        /// Of which fault.
        fault: &'static str,
        /// What stands there.
        text: String,
    },
    /// A length of time that is none, or stands at a fault that takes none.
    #[error(
        "{fault}: {text:?} is no pause: write a number of milliseconds or seconds after slow alone, as in slow=1%:500ms"
    )]
    Pause {
        /// Of which fault.
        fault: &'static str,
        /// What stands there.
        text: String,
    },
}

impl FromStr for Faults {
    type Err = FaultsError;

    fn from_str(text: &str) -> Result<Self, FaultsError> {
        let mut faults = Self::default();
        let mut named = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| FaultsError::Shape(part.to_owned()))?;
            let fault = Fault::ALL.into_iter().find(|fault| fault.as_str() == name.trim());
            let fault = fault.ok_or_else(|| FaultsError::Name(name.trim().to_owned()))?;
            if named.contains(&fault) {
                return Err(FaultsError::Twice(fault.as_str()));
            }
            named.push(fault);
            let (share, pause) = match value.split_once(':') {
                Some((share, pause)) => (share, Some(pause)),
                None => (value, None),
            };
            if let Some(pause) = pause {
                let read = Some(pause).filter(|_| fault == Fault::Slow).and_then(milliseconds);
                let wrong = || FaultsError::Pause { fault: fault.as_str(), text: pause.to_owned() };
                faults.pause = read.ok_or_else(wrong)?;
            }
            let wrong = || FaultsError::Share { fault: fault.as_str(), text: share.to_owned() };
            faults.shares[fault as usize] = probability(share.trim()).ok_or_else(wrong)?;
        }
        Ok(faults)
    }
}

/// `12.5%` or `0.125`.
fn probability(text: &str) -> Option<f64> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok()? / 100.0,
        None => text.parse().ok()?,
    };
    (0.0..=1.0).contains(&share).then_some(share)
}

/// `500ms` or `2s`, at most an hour.
fn milliseconds(text: &str) -> Option<Duration> {
    let pause = match text.strip_suffix("ms") {
        Some(number) => Duration::from_millis(number.parse::<u32>().ok()?.into()),
        None => Duration::from_secs(text.strip_suffix('s')?.parse::<u32>().ok()?.into()),
    };
    (pause <= Duration::from_secs(3600)).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read() {
        let faults: Faults = "drop-response=1%, dup-msg=0.5% ,die-after-offer=0.25,slow=5%:500ms".parse().unwrap();
        let shares = Fault::ALL.map(|fault| faults.share(fault));
        assert_eq!(shares, [0.01, 0.005, 0.25, 0.05, 0.0]);
        assert_eq!(faults.pause, Duration::from_millis(500));
        assert!("".parse::<Faults>().unwrap().is_none() && !faults.is_none());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, named) in [
            ("drop-response", "\"drop-response\" is no fault"),
            ("explode=1%", "no fault \"explode\""),
            ("slow=1%,slow=2%", "slow is named twice"),
            ("dup-msg=120%", "dup-msg=120% is no share"),
            ("dup-msg=often", "dup-msg=often is no share"),
            ("dup-msg=-1", "dup-msg=-1 is no share"),
            ("dup-msg=NaN", "dup-msg=NaN is no share"),
            ("slow=1%:long", "slow: \"long\" is no pause"),
            ("slow=1%:3601s", "slow: \"3601s\" is no pause"),
            ("dup-msg=1%:2s", "dup-msg: \"2s\" is no pause"),
        ] {
            let error = text.parse::<Faults>().unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
