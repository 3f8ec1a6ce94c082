//! What came of a run: a table by kind, and the first failures.

use std::fmt;

/// What came of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The outcome is Flink's.
    Passed,
    /// It is not, or there is none.
    Failed(String),
    /// The kind is left out on purpose.
    NotSupported,
    /// The outcome differs where Flink is known to be at fault.
    LeftOut(String),
}

/// The scenarios of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// The kind.
    pub kind: String,
    /// How many passed.
    pub passed: usize,
    /// Which failed, and why.
    pub failures: Vec<(String, String)>,
    /// How many are not supported.
    pub not_supported: usize,
    /// Which were left out of the verdict, and how they differ.
    pub left_out: Vec<(String, String)>,
}

/// What came of a run, by kind, in the order in which the kinds came.
#[derive(Debug, Clone, Default)]
pub struct Report {
    tallies: Vec<Tally>,
}

impl Report {
    /// Adds what came of a scenario.
    pub fn add(&mut self, kind: &str, name: &str, verdict: Verdict) {
        let at = self
            .tallies
            .iter()
            .position(|t| t.kind == kind)
            .unwrap_or(self.tallies.len());
        if at == self.tallies.len() {
            self.tallies.push(Tally {
                kind: kind.to_owned(),
                ..Tally::default()
            });
        }
        let Some(tally) = self.tallies.get_mut(at) else {
            return;
        };
        match verdict {
            Verdict::Passed => tally.passed += 1,
            Verdict::Failed(why) => tally.failures.push((name.to_owned(), why)),
            Verdict::NotSupported => tally.not_supported += 1,
            Verdict::LeftOut(why) => tally.left_out.push((name.to_owned(), why)),
        }
    }

    /// The kinds.
    pub fn tallies(&self) -> &[Tally] {
        &self.tallies
    }

    /// Whether nothing was run.
    pub fn is_empty(&self) -> bool {
        self.tallies.is_empty()
    }

    /// How many scenarios failed.
    pub fn failed(&self) -> usize {
        self.tallies.iter().map(|t| t.failures.len()).sum()
    }

    /// The report for people, with so many failures of each kind.
    pub fn display(&self, details: usize) -> impl fmt::Display + '_ {
        Displayed {
            report: self,
            details,
        }
    }
}

struct Displayed<'a> {
    report: &'a Report,
    details: usize,
}

impl fmt::Display for Displayed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tallies = &self.report.tallies;
        writeln!(
            f,
            "{:<28}{:>8}{:>8}{:>15}{:>10}",
            "kind", "passed", "failed", "not supported", "left out"
        )?;
        let mut row = |kind: &str, counts: [usize; 4]| {
            let [passed, failed, not_supported, left_out] = counts;
            writeln!(
                f,
                "{kind:<28}{passed:>8}{failed:>8}{not_supported:>15}{left_out:>10}"
            )
        };
        for t in tallies {
            row(
                &t.kind,
                [
                    t.passed,
                    t.failures.len(),
                    t.not_supported,
                    t.left_out.len(),
                ],
            )?;
        }
        let sum = |of: fn(&Tally) -> usize| tallies.iter().map(of).sum::<usize>();
        row(
            "all",
            [
                sum(|t| t.passed),
                self.report.failed(),
                sum(|t| t.not_supported),
                sum(|t| t.left_out.len()),
            ],
        )?;
        for tally in tallies {
            list(f, "failed", tally, &tally.failures, self.details)?;
            list(
                f,
                "left out (Flink's own defect)",
                tally,
                &tally.left_out,
                self.details,
            )?;
        }
        Ok(())
    }
}

fn list(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    tally: &Tally,
    cases: &[(String, String)],
    details: usize,
) -> fmt::Result {
    if cases.is_empty() || details == 0 {
        return Ok(());
    }
    writeln!(f, "\n{}: {title}", tally.kind)?;
    for (name, why) in cases.iter().take(details) {
        writeln!(f, "  {name}: {why}")?;
    }
    match cases.len().checked_sub(details) {
        Some(more @ 1..) => writeln!(f, "  and {more} more"),
        _ => Ok(()),
    }
}
