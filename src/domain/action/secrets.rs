//! Which parts of an action are shown, and what is forgotten once it is over.
//!
//! Secrets are found by the shape in which they are written, so that no kind of action can forget to name its own.

use serde_json::{Map, Value};

use super::Action;
use crate::proto::csp::secret::FIELD;

/// Longest text that is shown, in bytes; longer ones are documents and certificates.
const LONGEST_SHOWN: usize = 512;

impl Action {
    /// Its parameters for people: without secrets, and with the length in place of what is long.
    #[must_use]
    pub fn shown(&self) -> Map<String, Value> {
        let Ok(Value::Object(mut fields)) = serde_json::to_value(self) else { return Map::new() };
        fields.remove("type");
        show(Value::Object(fields)).and_then(|value| value.as_object().cloned()).unwrap_or_default()
    }

    /// Whether it holds secrets that were not forgotten.
    #[must_use]
    pub fn has_secrets(&self) -> bool {
        serde_json::to_value(self).is_ok_and(|value| any(&value, &|secret| !secret.is_null()))
    }

    /// Whether it was asked for with a secret that is none.
    #[must_use]
    pub fn lacks_secrets(&self) -> bool {
        serde_json::to_value(self).is_ok_and(|value| any(&value, &Value::is_null))
    }

    /// Forgets every secret.
    pub fn forget_secrets(&mut self) {
        let forgotten = serde_json::to_value(&*self).map(|mut value| {
            forget(&mut value);
            value
        });
        if let Ok(action) = forgotten.and_then(serde_json::from_value) {
            *self = action;
        }
    }

    /// The same with marks in place of its secrets, and of texts that are too long to be shown. Where the marks do not fit,
    /// commands of which nothing is known.
    #[must_use]
    pub fn marked(&self, mark: &dyn Fn(&str) -> String) -> Self {
        let marked = serde_json::to_value(self).map(|mut value| {
            put_marks(&mut value, mark);
            value
        });
        marked.and_then(serde_json::from_value).unwrap_or(Self::Raw)
    }

    /// The same with other texts in it, where `change` has one.
    #[must_use]
    pub fn with_texts(&self, change: &dyn Fn(&str) -> Option<String>) -> Self {
        let changed = serde_json::to_value(self).map(|mut value| {
            change_texts(&mut value, change);
            value
        });
        changed.and_then(serde_json::from_value).unwrap_or_else(|_| self.clone())
    }
}

fn change_texts(value: &mut Value, change: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(other) = change(text) {
                *text = other;
            }
        }
        Value::Object(fields) => fields.values_mut().for_each(|value| change_texts(value, change)),
        Value::Array(items) => items.iter_mut().for_each(|value| change_texts(value, change)),
        _ => {}
    }
}

fn put_marks(value: &mut Value, mark: &dyn Fn(&str) -> String) {
    match value {
        Value::Object(fields) if fields.len() == 1 && fields.contains_key(FIELD) => {
            if let Some(Value::String(text)) = fields.get_mut(FIELD) {
                *text = mark(text);
            }
        }
        Value::String(text) if text.len() > LONGEST_SHOWN => *text = mark(text),
        Value::Object(fields) => fields.values_mut().for_each(|value| put_marks(value, mark)),
        Value::Array(items) => items.iter_mut().for_each(|value| put_marks(value, mark)),
        _ => {}
    }
}

/// The secret that a value is, if it is one.
fn secret(value: &Value) -> Option<&Value> {
    value.as_object().filter(|fields| fields.len() == 1)?.get(FIELD)
}

fn show(value: Value) -> Option<Value> {
    if secret(&value).is_some() {
        return None;
    }
    Some(match value {
        Value::Object(fields) => {
            fields.into_iter().filter_map(|(name, value)| Some((name, show(value)?))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.into_iter().filter_map(show).collect(),
        Value::String(text) if text.len() > LONGEST_SHOWN => format!("({} bytes)", text.len()).into(),
        Value::Null => return None,
        other => other,
    })
}

fn any(value: &Value, test: &impl Fn(&Value) -> bool) -> bool {
    if let Some(secret) = secret(value) {
        return test(secret);
    }
    match value {
        Value::Object(fields) => fields.values().any(|value| any(value, test)),
        Value::Array(items) => items.iter().any(|value| any(value, test)),
        _ => false,
    }
}

fn forget(value: &mut Value) {
    if secret(value).is_some() {
        value[FIELD] = Value::Null;
        return;
    }
    match value {
        Value::Object(fields) => fields.values_mut().for_each(forget),
        Value::Array(items) => items.iter_mut().for_each(forget),
        _ => {}
    }
}
