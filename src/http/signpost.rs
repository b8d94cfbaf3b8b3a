//! `GET /`: what this server is, and where to go from here.

use std::sync::LazyLock;

use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::IntoResponse;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use crate::app::App;

pub(super) async fn page(State(app): State<App>) -> impl IntoResponse {
    let headers: [(HeaderName, &str); 3] = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, render(&app.settings.display_name, &app.settings.url))
}

/// Nothing may be loaded; the one style sheet in the page is named by its hash.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let rest = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    format!("default-src 'none'; style-src 'sha256-{hash}'; {rest}")
});

fn render(name: &str, url: &str) -> String {
    let (name, url) = (escape(name), escape(url));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{name}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>{name}</h1>\n\
         <p>This server manages Windows devices. It is made with Muster.</p>\n\
         <h2>Enroll a PC</h2>\n\
         <ol>\n\
         <li>Open <b>Settings</b>, then <b>Accounts</b>, then <b>Access work or school</b>.</li>\n\
         <li>Choose <b>Enroll only in device management</b> and type your work e-mail address.</li>\n\
         <li>If Windows asks for a server, give it <code>{url}</code></li>\n\
         <li>Sign in with the password that your administrator gave you.</li>\n\
         </ol>\n\
         <p>If Windows does not trust this server, your PC needs its \
         <a href=\"/pki/ca.cer\">CA certificate</a> first. Ask your administrator whether it is genuine.</p>\n\
         <h2>Administer</h2>\n\
         <p>Use the <code>muster</code> command line, or the API that the \
         <a href=\"/api/openapi.json\">OpenAPI document</a> describes.</p>\n\
         </main>\n</body>\n</html>\n"
    )
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ground:#fff;--text:#1f2328;--line:#d0d7de;--accent:#0b5cad;--soft:#f3f4f6}\
@media(prefers-color-scheme:dark){:root{--ground:#15181c;--text:#e6e8eb;--line:#3a4048;--accent:#7fb8f5;--soft:#22272d}}\
body{margin:0;background:var(--ground);color:var(--text);font:16px/1.45 system-ui,sans-serif}\
main{max-width:40rem;margin:0 auto;padding:40px 16px}\
h1{font-size:28px;margin:0 0 8px}\
h2{font-size:20px;margin:24px 0 8px;padding-top:16px;border-top:1px solid var(--line)}\
li{margin:4px 0}\
a{color:var(--accent)}\
a:focus-visible{outline:2px solid var(--accent);outline-offset:2px}\
code{background:var(--soft);padding:1px 4px;border-radius:6px;overflow-wrap:anywhere}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_become_markup() {
        let page = render("<script>alert(1)</script> & 'Co'", "https://mdm.example.test");
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("<h1>&lt;script&gt;alert(1)&lt;/script&gt; &amp; &#39;Co&#39;</h1>"), "{page}");
        assert!(page.contains("<code>https://mdm.example.test</code>"), "{page}");
    }

    #[test]
    fn the_page_is_a_document_that_another_parser_reads() {
        let page = render("Fabrikam", "https://mdm.example.test");
        let body = page.trim_start_matches("<!doctype html>").replace("<meta charset=\"utf-8\">", "");
        let body = body.replace("initial-scale=1\">", "initial-scale=1\"/>");
        let document = roxmltree::Document::parse(body.trim()).unwrap();
        let names: Vec<&str> = document.descendants().filter(|n| n.is_element()).map(|n| n.tag_name().name()).collect();
        assert_eq!(names.iter().filter(|name| **name == "h1").count(), 1);
        assert!(names.contains(&"main"));
        assert!(POLICY.starts_with("default-src 'none'; style-src 'sha256-"), "{}", *POLICY);
    }
}
