//! Invitations from a CSV file. What is wrong is told for every line.

use crate::app::FieldError;
use crate::app::invitations::{Invite, NewInvitation};
use crate::domain::language::Language;
use crate::http::api::period::Period;
use crate::http::error::Problem;
use crate::proto::csv::{self, CsvRow};

const COLUMNS: [&str; 6] = ["email", "user", "name", "pin", "expires_in", "language"];

/// The invitations of a file and what cannot be read of it, to be told together with what else is wrong.
pub(super) fn read(bytes: &[u8]) -> Result<Invite, Problem> {
    let mut rows =
        csv::read(bytes).map_err(|error| Problem::invalid(&format!("/lines/{}", error.line), error.what))?.into_iter();
    let Some(head) = rows.next() else { return Err(Problem::invalid("/lines/1", "the file is empty")) };
    let columns = columns(&head)?;
    let mut invite = Invite { needs_addresses: true, ..Invite::default() };
    for row in rows {
        let mut line = Line { row: &row, columns: &columns, errors: &mut invite.errors };
        let new = line.read();
        invite.new.push(new);
    }
    Ok(invite)
}

fn columns(head: &CsvRow) -> Result<Vec<&'static str>, Problem> {
    let place = format!("/lines/{}", head.line);
    let mut columns: Vec<&'static str> = Vec::new();
    for name in &head.fields {
        let known = COLUMNS.into_iter().find(|known| known.eq_ignore_ascii_case(name));
        match known {
            Some(known) if columns.contains(&known) => {
                return Err(Problem::invalid(&place, format!("the column {known} stands twice")));
            }
            Some(known) => columns.push(known),
            None => {
                let name: String = name.chars().take(40).collect();
                let words = format!("there is no column `{name}`; the first line names some of {}", COLUMNS.join(", "));
                return Err(Problem::invalid(&place, words));
            }
        }
    }
    if columns.contains(&"email") || columns.contains(&"user") {
        Ok(columns)
    } else {
        Err(Problem::invalid(&place, "the first line must name the columns, and one must be email or user"))
    }
}

struct Line<'a> {
    row: &'a CsvRow,
    columns: &'a [&'static str],
    errors: &'a mut Vec<FieldError>,
}

impl Line<'_> {
    fn read(&mut self) -> NewInvitation {
        if self.row.fields.len() > self.columns.len() {
            let words = format!("has {} fields, but there are {} columns", self.row.fields.len(), self.columns.len());
            self.tell("", &words);
        }
        let pin = self.parse("pin", "must be yes or no", yes_or_no);
        let expires_in = self.parse("expires_in", "must be a time such as 7d or 12h", Period::parse);
        let language = self.parse("language", "must be en or fr", Language::parse);
        NewInvitation {
            place: format!("/lines/{}", self.row.line),
            email: self.field("email").map(str::to_owned),
            user: self.field("user").map(str::to_owned),
            name: self.field("name").map(str::to_owned),
            pin,
            expires_in: expires_in.map(|period| period.0),
            language,
        }
    }

    /// A field that is not empty.
    fn field(&self, column: &str) -> Option<&str> {
        let index = self.columns.iter().position(|known| *known == column)?;
        self.row.fields.get(index).map(String::as_str).filter(|field| !field.is_empty())
    }

    fn parse<T>(&mut self, column: &str, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let field = self.field(column)?;
        let value = parse(field);
        if value.is_none() {
            self.tell(&format!("/{column}"), expected);
        }
        value
    }

    fn tell(&mut self, field: &str, words: &str) {
        let pointer = format!("/lines/{}{field}", self.row.line);
        self.errors.push(FieldError { pointer, message: words.to_owned() });
    }
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "yes" | "true" | "1" | "oui" | "vrai" => Some(true),
        "no" | "false" | "0" | "non" | "faux" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_becomes_invitations_and_mistakes() {
        let file = "Email;Name;PIN;expires_in;language\nada@example.test;Ada;oui;7d;fr\nbob@example.test;;maybe;soon;xx\n\
                    a;b;no;1h;en;more\n";
        let invite = read(file.as_bytes()).unwrap();
        let first = &invite.new[0];
        assert_eq!(
            (first.place.as_str(), first.email.as_deref(), first.pin),
            ("/lines/2", Some("ada@example.test"), Some(true))
        );
        assert_eq!((first.name.as_deref(), first.language), (Some("Ada"), Some(Language::French)));
        assert_eq!(first.expires_in, Some(time::Duration::days(7)));
        let told: Vec<&str> = invite.errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(told, ["/lines/3/pin", "/lines/3/expires_in", "/lines/3/language", "/lines/4"]);
        assert_eq!(invite.new.len(), 3, "the others are looked at as well");
    }

    #[test]
    fn a_file_without_its_columns_is_refused() {
        for file in ["", "name\nAda\n", "email,e-mail\n", "email,email\n", "ada@example.test\n"] {
            assert!(read(file.as_bytes()).is_err(), "{file:?}");
        }
    }
}
