use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read")]
struct Thing {
    name: String,
    count: Option<u32>,
    parts: Option<Vec<Part>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read")]
struct Part {
    size: u8,
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let cases = [
        (r#"{"name":5}"#, "/name", "invalid type: integer `5`, expected a string"),
        (r#"{"count":1}"#, "/name", "missing field `name`"),
        (r#"{"name":"a","color":1}"#, "/color", "unknown field `color`"),
        (r#"{"name":"a","name":"b"}"#, "/name", "duplicate field `name`"),
        (r#"{"name":"a","count":-1}"#, "/count", "invalid value: integer `-1`"),
        (r#"{"name":"a","parts":[{"size":1},{"size":"x"}]}"#, "/parts/1/size", "invalid type: string \"x\""),
        (r#"{"name":"a","parts":[{}]}"#, "/parts/0/size", "missing field `size`"),
        (r#"{"name":"a","parts":[{"a/b~":1}]}"#, "/parts/0/a~1b~0", "unknown field `a/b~`"),
        (r#" ["a", 1]"#, "", "the body must be an object"),
        (r"5", "", "invalid type: integer `5`"),
    ];
    for (json, place, words) in cases {
        let problem = format!("{:?}", from_json::<Thing>(json.as_bytes()).unwrap_err());
        let expected = format!("pointer: {place:?}, message: \"{}", words.replace('"', "\\\""));
        assert!(problem.contains(&expected), "{json}: {problem}");
    }
}

#[test]
fn what_is_no_json_is_a_bad_request() {
    for json in ["", "{", "{\"name\":\"a\"} x", "\u{feff}{}", "name=a", "{\"name\":\"a\",}"] {
        let problem = format!("{:?}", from_json::<Thing>(json.as_bytes()).unwrap_err());
        assert!(problem.contains("malformed_json") && problem.contains("400"), "{json}: {problem}");
    }
}

#[tokio::test]
async fn bodies_are_bounded() {
    let request = |length: usize| {
        let body = axum::body::Body::from(vec![b' '; length]);
        Request::builder().header(CONTENT_TYPE, "application/json; charset=utf-8").body(body).unwrap()
    };
    let problem = Body::<Thing>::from_request(request(MOST_BYTES + 1), &()).await.unwrap_err();
    assert!(format!("{problem:?}").contains("too_large"), "{problem:?}");
    let problem = Body::<Thing>::from_request(request(MOST_BYTES), &()).await.unwrap_err();
    assert!(format!("{problem:?}").contains("malformed_json"), "{problem:?}");
}

#[tokio::test]
async fn headers_are_read_once_and_whole() {
    let parts = |name: &str, values: &[&str]| {
        let request = values.iter().fold(Request::builder(), |request, value| request.header(name, *value));
        request.body(()).unwrap().into_parts().0
    };
    for (text, expected) in [("\"7\"", Some(7)), ("*", None), ("7", Some(-1)), ("W/\"7\"", Some(-1))] {
        let read = IfMatch::from_request_parts(&mut parts("if-match", &[text]), &()).await.unwrap();
        assert_eq!(read, IfMatch(expected), "{text}");
    }
    let key = IdempotencyKey::from_request_parts(&mut parts("idempotency-key", &["k1"]), &()).await.unwrap();
    assert_eq!(key.as_deref(), Some("k1"));
    for values in [&["a", "b"][..], &[""], &[&"x".repeat(256)]] {
        assert!(IdempotencyKey::from_request_parts(&mut parts("idempotency-key", values), &()).await.is_err());
    }
}
