//! From what people type to ids, and from ids to what people read.

use anyhow::{Result, bail};
use serde_json::Value;

use super::Usage;
use super::client::{Client, Refusal};
use super::output::field;

/// A device by its id, the beginning of one, or its name.
pub(super) async fn device(client: &Client, text: &str) -> Result<Value> {
    if let Some(found) = by_id(client, "/devices", text).await? {
        return Ok(found);
    }
    let found = client.list("/devices", &[("query", text)], 500).await?.items;
    let named: Vec<Value> = found.into_iter().filter(|device| is_named(device, "name", text)).collect();
    let open: Vec<&Value> = named.iter().filter(|device| is_managed(device)).collect();
    // A name belongs to whoever is managed under it now.
    match (open.as_slice(), named.as_slice()) {
        ([one], _) => Ok((*one).clone()),
        ([], [one]) => Ok(one.clone()),
        ([], []) => bail!("there is no device {text}"),
        _ => {
            let ids: Vec<String> = named.iter().map(|device| field(device, "id")).collect();
            Err(Usage(format!("more than one device is named {text}; say which: {}", ids.join(", "))).into())
        }
    }
}

/// A user by address, id, or the beginning of an id.
pub(super) async fn user(client: &Client, text: &str) -> Result<Value> {
    let found = client.list("/users", &[("query", text)], 500).await?.items;
    if let Some(user) = found.into_iter().find(|user| is_named(user, "email", text)) {
        return Ok(user);
    }
    match by_id(client, "/users", text).await? {
        Some(user) => Ok(user),
        None => bail!("there is no user {text}"),
    }
}

/// The path of an object by what was typed as its id.
pub(super) fn path(collection: &str, id: &str) -> Result<String> {
    if looks_like_id(id) { Ok(format!("{collection}/{id}")) } else { Err(Usage(format!("{id} is no id")).into()) }
}

/// Whether a text can be a word of a path.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

async fn by_id(client: &Client, collection: &str, text: &str) -> Result<Option<Value>> {
    if !looks_like_id(text) {
        return Ok(None);
    }
    match client.get(&format!("{collection}/{text}"), &[]).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.downcast_ref::<Refusal>().is_some_and(|refusal| refusal.code == "not_found") => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the text could be an id or the beginning of one; also keeps it from being more than one segment of a path.
fn looks_like_id(text: &str) -> bool {
    text.len() >= 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn is_named(document: &Value, name: &str, text: &str) -> bool {
    document[name].as_str().is_some_and(|own| own.to_lowercase() == text.trim().to_lowercase())
}

fn is_managed(device: &Value) -> bool {
    matches!(device["state"].as_str(), Some("pending" | "active" | "retiring" | "wiping"))
}

/// Characters of the shortest id that is shown.
const SHORTEST: usize = 8;
/// Characters that tell ids apart which were made in different milliseconds.
const WITH_TIME: usize = 13;

/// How ids of a list are shown: as short as they are unambiguous. Where the list is not whole, others may begin the same,
/// and the part with the time is shown whole.
pub(super) fn short_ids(items: &[Value], name: &str, is_whole: bool) -> Vec<String> {
    let ids: Vec<String> = items.iter().map(|item| field(item, name)).collect();
    let least = if is_whole { SHORTEST } else { WITH_TIME };
    ids.iter().map(|id| shortest(id, &ids, least)).collect()
}

/// How an id is shown where it stands alone.
pub(super) fn short_id(id: &str) -> String {
    id.get(..WITH_TIME).unwrap_or(id).to_owned()
}

fn shortest(id: &str, all: &[String], least: usize) -> String {
    let is_unique = |prefix: &str| all.iter().all(|other| other == id || !other.starts_with(prefix));
    let prefixes = (least..id.len()).filter_map(|length| id.get(..length)).filter(|prefix| !prefix.ends_with('-'));
    prefixes.into_iter().find(|prefix| is_unique(prefix)).unwrap_or(id).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_are_as_short_as_they_can_be() {
        let items = [
            json!({"id": "019a3f00-1111-7000-8000-000000000000"}),
            json!({"id": "019a3f00-1112-7000-8000-000000000000"}),
            json!({"id": "019a4000-1112-7000-8000-000000000000"}),
        ];
        assert_eq!(short_ids(&items, "id", true), ["019a3f00-1111", "019a3f00-1112", "019a4000"]);
        assert_eq!(short_ids(&items[2..], "id", false), ["019a4000-1112"]);
        assert_eq!(short_ids(&[json!({"id": "x"})], "id", true), ["x"]);
    }

    #[test]
    fn only_ids_become_paths() {
        assert_eq!(path("/actions", "019a3f00").unwrap(), "/actions/019a3f00");
        for text in ["", "abc", "../users", "LAPTOP-1", "019a/../../x", "019a?x"] {
            assert!(path("/actions", text).is_err(), "{text}");
        }
    }
}
