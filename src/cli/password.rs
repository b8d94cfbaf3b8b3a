//! Passwords: from standard input, or from a terminal without showing them; never from an argument, which others can see.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Context, Result, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::{ExposeSecret, SecretString};

/// The first line of standard input.
pub(super) fn from_stdin() -> Result<SecretString> {
    let line = read_line().context("cannot read the password from standard input")?;
    if line.expose_secret().is_empty() {
        bail!("standard input holds no password");
    }
    Ok(line)
}

/// Asked twice on a terminal; `None` where there is no terminal, or where nothing is typed.
pub(super) fn from_terminal(of: &str) -> Result<Option<SecretString>> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    let first = ask(&format!("Password of {of} (empty for none): "))?;
    if first.expose_secret().is_empty() {
        return Ok(None);
    }
    let second = ask("The same again: ")?;
    if first.expose_secret() != second.expose_secret() {
        bail!("the two are not the same; nothing was changed");
    }
    Ok(Some(first))
}

fn ask(words: &str) -> Result<SecretString> {
    let mut stderr = io::stderr();
    write!(stderr, "{words}")?;
    stderr.flush()?;
    let hidden = Hidden::start()?;
    let line = read_line();
    drop(hidden);
    writeln!(stderr)?;
    Ok(line?)
}

fn read_line() -> io::Result<SecretString> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let length = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(length);
    Ok(SecretString::from(line))
}

/// While it lives, the terminal does not show what is typed.
struct Hidden(Termios);

impl Hidden {
    fn start() -> Result<Self> {
        let before = tcgetattr(io::stdin()).context("the terminal cannot be asked to hide what is typed")?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
