//! What pages say, from the message files of the languages (Project Fluent).

use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};

use crate::domain::language::Language;

/// The messages of one language.
pub(super) struct Messages(FluentBundle<FluentResource>);

impl Messages {
    /// Those of a language.
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::French => &FRENCH,
        }
    }

    /// The text of a message, with values in it. One that is not there is shown by its name; a test holds the templates
    /// against the files.
    pub(super) fn text(&self, id: &str, values: &[(&str, &str)]) -> String {
        let Some(pattern) = self.0.get_message(id).and_then(|message| message.value()) else { return id.to_owned() };
        let mut args = FluentArgs::new();
        values.iter().for_each(|(name, value)| args.set(*name, *value));
        self.0.format_pattern(pattern, Some(&args), &mut Vec::new()).into_owned()
    }

    /// Whether there is such a message.
    #[cfg(test)]
    pub(super) fn has(&self, id: &str) -> bool {
        self.0.has_message(id)
    }

    fn read(language: Language) -> Self {
        let tag = language.tag().parse().expect("tags of our languages are tags");
        let mut bundle = FluentBundle::new_concurrent(vec![tag]);
        // Marks of direction around values: both languages and what stands in them run from left to right.
        bundle.set_use_isolating(false);
        // What cannot be read is left out, which a test would find.
        let source = typeset(language, source(language));
        let resource = FluentResource::try_new(source).unwrap_or_else(|(resource, _)| resource);
        bundle.add_resource_overriding(resource);
        Self(bundle)
    }
}

/// A text as it is printed: in French, what stands beside a sign of punctuation stays in its line, and apostrophes are bent.
pub(super) fn typeset(language: Language, text: &str) -> String {
    let pairs: &[(&str, &str)] = match language {
        Language::English => &[],
        Language::French => {
            &[("« ", "«\u{a0}"), (" »", "\u{a0}»"), (" :", "\u{a0}:"), (" ;", "\u{a0};"), (" ?", "\u{a0}?"), ("'", "’")]
        }
    };
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// The message file of a language.
pub(super) fn source(language: Language) -> &'static str {
    match language {
        Language::English => include_str!("messages/en.ftl"),
        Language::French => include_str!("messages/fr.ftl"),
    }
}

static ENGLISH: LazyLock<Messages> = LazyLock::new(|| Messages::read(Language::English));
static FRENCH: LazyLock<Messages> = LazyLock::new(|| Messages::read(Language::French));
