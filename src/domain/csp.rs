//! Whether a command may be sent to a node: by the catalogue, by what administrators decided otherwise, and by what devices
//! themselves have shown.

mod answers;
mod imported;
mod judge;
mod overrides;

pub use answers::{CspList, NodeAnswer, NodeSign, is_at_or_below, learn, read_csp_versions};
pub use imported::ImportedCatalogue;
pub use judge::{Evidence, ItemCheck, Judge, Objection, Remark, Verdict, items};
pub use overrides::{NodeOverride, OverrideError, Overrides, Ruling};
