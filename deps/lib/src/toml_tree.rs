//! TOML as one array of nodes in the order of the text, each with the bytes that its key and value
//! span. What the keys mean is not known here.

use std::ops::Range;
use toml::de::{DeString, DeTable, DeValue};
use toml::Spanned;

pub type Place = [u32; 4]; // offset and length in the tree's text; first byte and end in the source

#[repr(C)]
pub struct Node {
    kind: u32,
    below: u32,
    key: Place,
    value: Place,
}

/// Nodes, what is not TOML, and the text that both look into.
#[derive(Default)]
pub struct Made(pub Vec<Node>, pub Vec<Place>, pub String);

impl Made {
    fn place(&mut self, text: &str, span: Range<usize>) -> Place {
        let at = self.2.len();
        self.2.push_str(text);
        [at, text.len(), span.start, span.end].map(|n| n as u32)
    }
    fn mistake(&mut self, text: &str, span: Range<usize>) {
        let place = self.place(text, span);
        self.1.push(place);
    }
    fn table(&mut self, table: &DeTable) {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries.iter().for_each(|(k, v)| self.add(Some(k), v));
    }
    fn add(&mut self, key: Option<&Spanned<DeString>>, value: &Spanned<DeValue>) {
        let (kind, text) = match value.get_ref() {
            DeValue::String(s) => (0, s.to_string()),
            // Decimal whatever it was written in; left as written when it has more than 64 bits.
            DeValue::Integer(i) => match i64::from_str_radix(i.as_str(), i.radix()) {
                Ok(n) => (1, n.to_string()),
                Err(_) => (1, i.to_string()),
            },
            DeValue::Float(f) => (2, f.to_string()),
            DeValue::Boolean(b) => (3, b.to_string()),
            DeValue::Datetime(d) => (4, d.to_string()),
            DeValue::Array(_) => (5, String::new()),
            DeValue::Table(_) => (6, String::new()),
        };
        let key = key.map_or([0; 4], |k| self.place(k.get_ref(), k.span()));
        let (at, value_place) = (self.0.len(), self.place(&text, value.span()));
        self.0.push(Node {
            kind,
            below: 0,
            key,
            value: value_place,
        });
        match value.get_ref() {
            DeValue::Array(array) => array.iter().for_each(|v| self.add(None, v)),
            DeValue::Table(table) => self.table(table),
            _ => (),
        }
        self.0[at].below = (self.0.len() - at - 1) as u32;
    }
}

pub fn read(bytes: Vec<u8>) -> Made {
    let mut made = Made::default();
    match std::str::from_utf8(&bytes).map(DeTable::parse_recoverable) {
        Err(e) => made.mistake("this is not UTF-8", e.valid_up_to()..e.valid_up_to() + 1),
        Ok((root, errors)) => {
            made.table(root.get_ref());
            errors
                .iter()
                .for_each(|e| made.mistake(e.message(), e.span().unwrap_or_default()));
        }
    }
    made
}
