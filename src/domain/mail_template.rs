//! The text of invitations: what an administrator writes, with variables in braces.
//!
//! `{name}` stands for a value; `{{` and `}}` are braces. A paragraph that names a variable which has no value is left
//! out, so one text serves invitations with a PIN and without.

use time::OffsetDateTime;

use super::language::Language;
use super::mail::Content;
use super::sign_in::SignInWith;

/// A text as it is stored.
#[derive(Clone, Debug)]
pub struct MailTemplate {
    /// Its language.
    pub language: Language,
    /// What it says.
    pub text: Text,
    /// Who wrote it.
    pub changed_by: String,
    /// When.
    pub changed_at: OffsetDateTime,
}

/// Subject and body, with variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// One line.
    pub subject: String,
    /// Paragraphs, with empty lines between them.
    pub body: String,
}

/// A value that a text may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// Whose server it is.
    Organization,
    /// How the invited person is called; the name to sign in with where no other is known.
    Name,
    /// The name to sign in with.
    User,
    /// The personal address.
    Url,
    /// Until when the invitation works.
    Expires,
    /// The PIN.
    Pin,
    /// Until when that works.
    PinExpires,
    /// The address that Windows asks for.
    Server,
    /// Whom to ask.
    Contact,
}

impl Variable {
    /// All of them, in the order in which they are explained.
    pub const ALL: [Self; 9] = [
        Self::Organization,
        Self::Name,
        Self::User,
        Self::Url,
        Self::Expires,
        Self::Pin,
        Self::PinExpires,
        Self::Server,
        Self::Contact,
    ];

    /// Its name between the braces.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Name => "name",
            Self::User => "user",
            Self::Url => "url",
            Self::Expires => "expires",
            Self::Pin => "pin",
            Self::PinExpires => "pin_expires",
            Self::Server => "server",
            Self::Contact => "contact",
        }
    }

    /// Whether it may stand in a subject, which is shown and logged where the body is not.
    fn fits_subject(self) -> bool {
        matches!(self, Self::Organization | Self::Name)
    }

    /// Whether there are invitations for which it has no value.
    fn may_lack_value(self) -> bool {
        matches!(self, Self::Pin | Self::PinExpires | Self::Contact)
    }

    fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|variable| variable.as_str() == name)
    }
}

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError {
    /// Whether it is in the subject.
    pub in_subject: bool,
    /// What is wrong, with its line.
    pub message: String,
}

/// Where the paragraph with the PIN stands in the built-in texts.
const PIN_PARAGRAPH: &str = "(PIN)\n";

/// Characters of the longest subject and body.
const LONGEST_SUBJECT: usize = 200;
const LONGEST_BODY: usize = 20_000;

impl Text {
    /// The text that is built in, for what people sign in with.
    #[must_use]
    pub fn built_in(language: Language, sign_in: SignInWith) -> Self {
        let (source, alone, behind_password) = match language {
            Language::English => (
                include_str!("mail_template/en.txt"),
                include_str!("mail_template/en.pin.txt"),
                include_str!("mail_template/en.password_and_pin.txt"),
            ),
            Language::French => (
                include_str!("mail_template/fr.txt"),
                include_str!("mail_template/fr.pin.txt"),
                include_str!("mail_template/fr.password_and_pin.txt"),
            ),
        };
        let paragraph = if sign_in == SignInWith::PasswordAndPin { behind_password } else { alone };
        let (subject, body) = source.split_once("\n\n").unwrap_or(("", source));
        Self { subject: subject.to_owned(), body: body.replace(PIN_PARAGRAPH, paragraph) }
    }

    /// Everything that is wrong with it.
    #[must_use]
    pub fn errors(&self) -> Vec<TextError> {
        let mut errors = Vec::new();
        let mut tell = |in_subject: bool, message: String| errors.push(TextError { in_subject, message });
        if self.subject.trim().is_empty() || self.subject.chars().count() > LONGEST_SUBJECT {
            tell(true, format!("must have 1 to {LONGEST_SUBJECT} characters"));
        }
        if self.subject.chars().any(char::is_control) {
            tell(true, "must be one line".to_owned());
        }
        if self.body.trim().is_empty() || self.body.chars().count() > LONGEST_BODY {
            tell(false, format!("must have 1 to {LONGEST_BODY} characters"));
        }
        if self.body.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            tell(false, "holds control characters".to_owned());
        }
        for (in_subject, text) in [(true, &self.subject), (false, &self.body)] {
            for (number, line) in text.lines().enumerate() {
                for piece in pieces(line) {
                    if let Some(words) = wrong(&piece, in_subject) {
                        tell(in_subject, format!("line {}: {words}", number + 1));
                    }
                }
            }
        }
        let names = |text: &str, what: fn(Variable) -> bool| {
            pieces(text).any(|piece| matches!(piece, Piece::Variable(variable) if what(variable)))
        };
        let is_url = |variable: Variable| variable == Variable::Url;
        if !names(&self.body, is_url) {
            tell(false, "must hold {url}: without it nobody can follow the invitation".to_owned());
        } else if !paragraphs(&self.body)
            .iter()
            .any(|part| names(part, is_url) && !names(part, Variable::may_lack_value))
        {
            let words = "must hold {url} in a paragraph without {pin}, {pin_expires} and {contact}: one that names what an \
                         invitation does not have is left out, and the address with it; put an empty line between them";
            tell(false, words.to_owned());
        }
        errors
    }

    /// The mail with those values; `value` answers `None` where there is none.
    #[must_use]
    pub fn render(&self, value: impl Fn(Variable) -> Option<String>) -> Content {
        let filled = paragraphs(&self.body).iter().filter_map(|paragraph| fill(paragraph, &value)).collect::<Vec<_>>();
        let body = filled.join("\n\n");
        let subject = fill(&self.subject, &value).unwrap_or_default();
        // A name with a line break in it must not begin another header.
        let subject = subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Content { subject, body: format!("{}\n", body.trim_end()) }
    }
}

/// What stands between empty lines; a line of spaces is empty.
fn paragraphs(body: &str) -> Vec<String> {
    let lines: Vec<&str> = body.lines().map(|line| if line.trim().is_empty() { "" } else { line }).collect();
    lines.join("\n").split("\n\n").map(str::to_owned).collect()
}

enum Piece<'a> {
    Plain(&'a str),
    Brace(char),
    Variable(Variable),
    Unknown(&'a str),
    Open,
    Close,
}

/// The pieces of a text.
fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let (piece, length) = match first {
            '{' if rest.starts_with("{{") => (Piece::Brace('{'), 2),
            '}' if rest.starts_with("}}") => (Piece::Brace('}'), 2),
            '{' => match rest.find(['}', '\n']).filter(|end| rest[*end..].starts_with('}')) {
                Some(end) => {
                    let name = &rest[1..end];
                    (Variable::find(name.trim()).map_or(Piece::Unknown(name), Piece::Variable), end + 1)
                }
                None => (Piece::Open, 1),
            },
            '}' => (Piece::Close, 1),
            _ => {
                let end = rest.find(['{', '}']).unwrap_or(rest.len());
                (Piece::Plain(&rest[..end]), end)
            }
        };
        rest = &rest[length..];
        Some(piece)
    })
}

fn wrong(piece: &Piece<'_>, in_subject: bool) -> Option<String> {
    match piece {
        Piece::Unknown(name) => {
            let known: Vec<&str> = Variable::ALL.iter().map(|variable| variable.as_str()).collect();
            let name: String = name.chars().take(40).collect();
            Some(format!("there is no variable {{{name}}}; there are {}", known.join(", ")))
        }
        Piece::Variable(variable) if in_subject && !variable.fits_subject() => {
            Some(format!("{{{}}} must not stand in the subject; only organization and name may", variable.as_str()))
        }
        Piece::Open => Some("a { is not closed; write {{ for a brace".to_owned()),
        Piece::Close => Some("a } closes nothing; write }} for a brace".to_owned()),
        _ => None,
    }
}

/// The paragraph with its values; `None` where one has none.
fn fill(paragraph: &str, value: &impl Fn(Variable) -> Option<String>) -> Option<String> {
    let mut out = String::with_capacity(paragraph.len());
    for piece in pieces(paragraph) {
        match piece {
            Piece::Plain(text) => out.push_str(text),
            Piece::Brace(brace) => out.push(brace),
            Piece::Variable(variable) => out.push_str(&value(variable)?),
            Piece::Unknown(_) | Piece::Open | Piece::Close => {}
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(subject: &str, body: &str) -> Text {
        Text { subject: subject.to_owned(), body: body.to_owned() }
    }

    fn values(pin: bool) -> impl Fn(Variable) -> Option<String> {
        move |variable| match variable {
            Variable::Pin | Variable::PinExpires if !pin => None,
            other => Some(format!("<{}>", other.as_str())),
        }
    }

    #[test]
    fn the_built_in_texts_are_in_order_and_drop_what_has_no_value() {
        let ways = [SignInWith::PasswordOrPin, SignInWith::PasswordAndPin];
        for (language, way) in Language::ALL.into_iter().flat_map(|language| ways.map(|way| (language, way))) {
            let built_in = Text::built_in(language, way);
            assert_eq!(built_in.errors(), [], "{}", language.tag());
            let with = built_in.render(values(true));
            let without = built_in.render(values(false));
            for part in ["<url>", "<user>", "<expires>", "<contact>"] {
                assert!(with.body.contains(part) && without.body.contains(part), "{} {part}", language.tag());
            }
            assert!(with.body.contains("<pin>") && with.body.contains("<pin_expires>"));
            assert!(!without.body.contains("PIN"), "{}", without.body);
            assert!(!with.subject.contains("<url>") && with.subject.contains("<organization>"));
        }
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let told = |subject: &str, body: &str| -> Vec<(bool, String)> {
            text(subject, body).errors().into_iter().map(|error| (error.in_subject, error.message)).collect()
        };
        let known = "there are organization, name, user, url, expires, pin, pin_expires, server, contact";
        assert_eq!(
            told("S", "a\n{ulr} {url}\n\n{first name}"),
            [
                (false, format!("line 2: there is no variable {{ulr}}; {known}")),
                (false, format!("line 4: there is no variable {{first name}}; {known}")),
            ]
        );
        let only = "must not stand in the subject; only organization and name may";
        assert_eq!(
            told("{pin} {url}", "{url}"),
            [(true, format!("line 1: {{pin}} {only}")), (true, format!("line 1: {{url}} {only}")),]
        );
        assert_eq!(
            told("S", "x {\n} {url}"),
            [
                (false, "line 1: a { is not closed; write {{ for a brace".to_owned()),
                (false, "line 2: a } closes nothing; write }} for a brace".to_owned()),
            ]
        );
        assert_eq!(
            told("S", "nothing"),
            [(false, "must hold {url}: without it nobody can follow the invitation".to_owned())]
        );
        for body in
            ["{url}\nPIN: {pin}", "Hello\n \nPIN {pin} {url}\n \t\nBye", "{pin_expires} {url}", "{url} {contact}"]
        {
            let told = told("S", body);
            assert_eq!(told.len(), 1, "{body}");
            assert!(told[0].1.starts_with("must hold {url} in a paragraph without {pin}"), "{body}: {}", told[0].1);
        }
        assert_eq!(told("S", "{url}\n \n{pin}"), [], "a line of spaces is empty");
        assert_eq!(told("S", "{url} {pin}\n\n{url}"), []);
        assert_eq!(told(" ", "{url}"), [(true, "must have 1 to 200 characters".to_owned())]);
        assert_eq!(told("a\nBcc: x", "{url}"), [(true, "must be one line".to_owned())]);
        assert_eq!(told("{{S}}", "{{a}} { url }"), []);
    }

    #[test]
    fn braces_and_line_breaks_of_values() {
        let content = text("{name}", "{{a}} {url}\r\n\r\n{pin}").render(|variable| match variable {
            Variable::Name => Some("Ada\r\nBcc: eve@example.test".to_owned()),
            Variable::Url => Some("{pin}".to_owned()),
            _ => None,
        });
        assert_eq!(content.subject, "Ada  Bcc: eve@example.test");
        assert_eq!(content.body, "{a} {pin}\n", "a value is not read as text");
        let spaced = text("S", "{url}\n  \n{pin}\n\t\nBye").render(values(false));
        assert_eq!(spaced.body, "<url>\n\nBye\n");
    }

    proptest! {
        #[test]
        fn no_text_panics(subject in "[{}a-z\n]{0,30}", body in "[{}a-z\n\u{e9}]{0,60}") {
            let text = Text { subject, body };
            let _ = text.errors();
            let _ = text.render(|_| Some("x".to_owned()));
        }
    }
}
