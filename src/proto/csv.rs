//! CSV as spreadsheets write it (RFC 4180): commas or semicolons between fields, quotes around some.

/// A row with the line of the text on which it begins, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvRow {
    /// The line.
    pub line: usize,
    /// The fields, without white space around them and without their quotes.
    pub fields: Vec<String>,
}

/// A line that is not CSV.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct CsvError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: &'static str,
}

/// Reads all rows; empty lines are passed over. The first line decides what separates fields: a semicolon if it holds one
/// and no comma.
///
/// # Errors
/// The first line that cannot be read.
pub fn read(bytes: &[u8]) -> Result<Vec<CsvRow>, CsvError> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
            return Err(CsvError { line, what: "is not UTF-8; save the file as CSV UTF-8" });
        }
    };
    let first = text.lines().next().unwrap_or_default();
    let separator = if first.contains(';') && !first.contains(',') { ';' } else { ',' };
    let mut reader = Reader { rest: text, line: 1, separator };
    let mut rows = Vec::new();
    while !reader.rest.is_empty() {
        let line = reader.line;
        let fields = reader.row()?;
        if fields.iter().any(|field| !field.is_empty()) {
            rows.push(CsvRow { line, fields });
        }
    }
    Ok(rows)
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    separator: char,
}

impl Reader<'_> {
    fn row(&mut self) -> Result<Vec<String>, CsvError> {
        let mut fields = Vec::new();
        loop {
            let is_quoted = self.rest.trim_start_matches([' ', '\t']).starts_with('"');
            fields.push(if is_quoted { self.quoted()? } else { self.plain() });
            if let Some(rest) = self.rest.strip_prefix(self.separator) {
                self.rest = rest;
                continue;
            }
            self.line += 1;
            self.rest = self.rest.strip_prefix("\r\n").or_else(|| self.rest.strip_prefix('\n')).unwrap_or_default();
            return Ok(fields);
        }
    }

    fn plain(&mut self) -> String {
        let end = self.rest.find([self.separator, '\n']).unwrap_or(self.rest.len());
        let (field, rest) = self.rest.split_at(end);
        // The line break begins with its carriage return.
        let back = usize::from(field.ends_with('\r') && rest.starts_with('\n'));
        self.rest = &self.rest[end - back..];
        field.trim().to_owned()
    }

    fn quoted(&mut self) -> Result<String, CsvError> {
        let begun = self.line;
        let mut rest = &self.rest.trim_start_matches([' ', '\t'])[1..];
        let mut field = String::new();
        loop {
            let Some(end) = rest.find('"') else {
                return Err(CsvError { line: begun, what: "a quote is opened and never closed" });
            };
            field.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('"') {
                Some(further) => {
                    field.push('"');
                    rest = further;
                }
                None => break,
            }
        }
        self.line += field.matches('\n').count();
        let rest = rest.trim_start_matches([' ', '\t']);
        let is_over = rest.is_empty() || rest.starts_with([self.separator, '\n']) || rest.starts_with("\r\n");
        if !is_over {
            return Err(CsvError { line: self.line, what: "something stands behind a closed quote" });
        }
        self.rest = rest;
        Ok(field.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(text: &str) -> Vec<(usize, Vec<String>)> {
        read(text.as_bytes()).unwrap().into_iter().map(|row| (row.line, row.fields)).collect()
    }

    fn owned(fields: &[&str]) -> Vec<String> {
        fields.iter().map(|field| (*field).to_owned()).collect()
    }

    #[test]
    fn what_spreadsheets_write_is_read() {
        let expected = vec![(1, owned(&["email", "name"])), (2, owned(&["ada@example.test", "Lovelace, Ada"]))];
        for text in [
            "email,name\nada@example.test,\"Lovelace, Ada\"\n",
            "\u{feff}email,name\r\nada@example.test,\"Lovelace, Ada\"\r\n",
            "email;name\nada@example.test;Lovelace, Ada",
            " email , name \n \"ada@example.test\" , \"Lovelace, Ada\" \n\n",
        ] {
            assert_eq!(rows(text), expected, "{text:?}");
        }
        assert_eq!(
            rows("a,b\n\n\"x\"\"y\nz\",2\n3,4"),
            [(1, owned(&["a", "b"])), (3, owned(&["x\"y\nz", "2"])), (5, owned(&["3", "4"])),]
        );
        assert_eq!(rows("a,\n,b"), [(1, owned(&["a", ""])), (2, owned(&["", "b"]))]);
        assert_eq!(rows(""), []);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        let error = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
        assert_eq!(error(b"a,b\nx,\"y\n"), "line 2: a quote is opened and never closed");
        assert_eq!(error(b"a,b\n\"x\"y,z\n"), "line 2: something stands behind a closed quote");
        assert!(error(b"a\nb\n\xe9t\xe9\n").starts_with("line 3: is not UTF-8"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }

        #[test]
        fn what_is_quoted_is_read_back(fields in prop::collection::vec("[^\r]{0,12}", 1..5)) {
            let quoted: Vec<String> = fields.iter().map(|field| format!("\"{}\"", field.replace('"', "\"\""))).collect();
            let text = format!("head,er\n{}\n", quoted.join(","));
            let trimmed: Vec<String> = fields.iter().map(|field| field.trim().to_owned()).collect();
            let read: Vec<Vec<String>> = read(text.as_bytes()).unwrap().into_iter().skip(1).map(|row| row.fields).collect();
            if trimmed.iter().any(|field| !field.is_empty()) {
                prop_assert_eq!(read, vec![trimmed]);
            } else {
                prop_assert!(read.is_empty());
            }
        }
    }
}
