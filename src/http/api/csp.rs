//! `/csp`: what every node of Windows allows, whether a command is right, and what administrators decided otherwise.

pub mod catalogue;
pub mod check;
pub mod nodes;
pub mod overrides;

use serde::Serialize;
use utoipa::ToSchema;

use crate::http::error::Problem;
use crate::proto::csp::catalogue::{Build, edition_name, parse_edition};

/// An edition of Windows.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EditionDocument {
    /// Its number, in hexadecimal.
    #[schema(example = "0x30")]
    id: String,
    /// The name of its constant in winnt.h, without `PRODUCT_`.
    #[schema(example = "PROFESSIONAL")]
    name: Option<&'static str>,
}

impl EditionDocument {
    fn of(edition: u32) -> Self {
        Self { id: format!("0x{edition:X}"), name: edition_name(edition) }
    }
}

/// An edition in a request: its number, `0x` and the number in hexadecimal, or its name.
#[derive(Clone, Debug, serde::Deserialize, ToSchema)]
#[serde(untagged)]
pub enum EditionWord {
    /// Its number.
    Number(u32),
    /// Its number or name, as text.
    Text(String),
}

impl EditionWord {
    fn read(&self, pointer: &str) -> Result<u32, Problem> {
        let edition = match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => parse_edition(text),
        };
        edition.ok_or_else(|| {
            Problem::invalid(
                pointer,
                "is an edition: its number, 0x and hexadecimal digits, or a name like PROFESSIONAL",
            )
        })
    }
}

fn build(text: &str, pointer: &str) -> Result<Build, Problem> {
    Build::parse(text)
        .ok_or_else(|| Problem::invalid(pointer, "is a build of Windows, such as 10.0.22621.3374, 22621.3374 or 22621"))
}
