//! The SQL of a sink.

use super::cell::CellType;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// `INSERT`, and where there is a key, an update of the row that has it.
    Insert,
    /// `COPY`.
    Copy,
}

/// What a sink writes into.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// The table, as `table` or `schema.table`.
    pub table: String,
    /// Names and types of the columns, in order.
    pub columns: Vec<(String, CellType)>,
    /// The columns that tell a row from others; none if rows are but added.
    pub key: Vec<String>,
    /// How.
    pub mode: Mode,
}

/// A name in quotes.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(quoted).collect::<Vec<_>>().join(", ")
}

/// `table` or `schema.table`, in quotes.
pub(super) fn quoted_table(table: &str) -> String {
    let parts: Vec<String> = table.split('.').map(quoted).collect();
    parts.join(".")
}

impl Target {
    /// The statement that a batch is written by: an array a column, or text.
    pub fn sql(&self) -> String {
        let table = quoted_table(&self.table);
        let columns = list(self.columns.iter().map(|(name, _)| name.as_str()));
        if self.mode == Mode::Copy {
            return format!("COPY {table} ({columns}) FROM STDIN");
        }
        let each = |show: &dyn Fn(usize, CellType) -> String| {
            let kinds = self.columns.iter().enumerate();
            let shown: Vec<String> = kinds.map(|(at, (_, kind))| show(at + 1, *kind)).collect();
            shown.join(", ")
        };
        let values = each(&|at, kind| format!("c{at}{}", kind.names().1));
        let arrays = each(&|at, kind| format!("${at}::{}[]", kind.names().0));
        let names = each(&|at, _| format!("c{at}"));
        let mut sql = format!(
            "INSERT INTO {table} ({columns}) SELECT {values} FROM unnest({arrays}) AS batch({names})"
        );
        if !self.key.is_empty() {
            let key = list(self.key.iter().map(String::as_str));
            let others = self.columns.iter().map(|(name, _)| name);
            let sets: Vec<String> = others
                .filter(|name| !self.key.contains(name))
                .map(|name| format!("{0} = EXCLUDED.{0}", quoted(name)))
                .collect();
            let action = if sets.is_empty() {
                "NOTHING".to_owned()
            } else {
                format!("UPDATE SET {}", sets.join(", "))
            };
            sql.push_str(&format!(" ON CONFLICT ({key}) DO {action}"));
        }
        sql
    }

    /// What can't be used, if anything.
    pub fn problem(&self) -> Option<String> {
        let unknown = self
            .key
            .iter()
            .find(|key| !self.columns.iter().any(|(name, _)| name == *key));
        if let Some(key) = unknown {
            return Some(format!("its key has '{key}', which is none of its columns"));
        }
        let twice = self.columns.iter().enumerate().find(|(at, (name, _))| {
            self.columns
                .iter()
                .take(*at)
                .any(|(other, _)| other == name)
        });
        if let Some((_, (name, _))) = twice {
            return Some(format!("the column '{name}' is given twice"));
        }
        if self.columns.is_empty() {
            return Some("it has no columns: give each by `column`".to_owned());
        }
        if self.mode == Mode::Copy && !self.key.is_empty() {
            return Some("COPY adds rows and can't replace any: leave out the key, or COPY".into());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(key: &[&str], mode: Mode) -> Target {
        Target {
            table: "s.t\"x".into(),
            columns: vec![
                ("a".into(), CellType::Text),
                ("b".into(), CellType::Bigint),
                ("c".into(), CellType::Jsonb),
            ],
            key: key.iter().map(|key| (*key).to_owned()).collect(),
            mode,
        }
    }

    #[test]
    fn a_batch_is_one_statement_of_any_size() {
        assert_eq!(
            target(&["a"], Mode::Insert).sql(),
            "INSERT INTO \"s\".\"t\"\"x\" (\"a\", \"b\", \"c\") SELECT c1, c2, c3::jsonb FROM \
             unnest($1::text[], $2::bigint[], $3::text[]) AS batch(c1, c2, c3) ON CONFLICT (\"a\") \
             DO UPDATE SET \"b\" = EXCLUDED.\"b\", \"c\" = EXCLUDED.\"c\""
        );
        assert!(
            target(&["a", "b", "c"], Mode::Insert)
                .sql()
                .ends_with("DO NOTHING")
        );
        assert_eq!(
            target(&[], Mode::Copy).sql(),
            "COPY \"s\".\"t\"\"x\" (\"a\", \"b\", \"c\") FROM STDIN"
        );
    }

    #[test]
    fn what_can_t_be_written_is_told_before() {
        assert!(
            target(&["d"], Mode::Insert)
                .problem()
                .unwrap()
                .contains("'d'")
        );
        assert!(target(&["a"], Mode::Copy).problem().is_some());
        assert_eq!(target(&["a"], Mode::Insert).problem(), None);
    }
}
