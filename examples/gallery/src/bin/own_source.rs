//! A source of one's own: pages of a catalogue, read in parallel.
//!
//! Flink: `Source`, `SplitEnumerator`, `SourceReader` (FLIP-27). A split is a piece of the source
//! with the position reached in it; one enumerator a job hands splits out, one reader a subtask reads
//! them without blocking. Watermarks are made per split, so a subtask may read several that are at
//! different times.

use std::process::ExitCode;

use rheos::prelude::*;
use rheos_connectors::PrintSink;

/// Each page is a split; `next` makes it a position, from which a restored job goes on.
#[derive(Row, Clone, Debug, PartialEq)]
struct Page {
    number: u32,
    next: u32,
}

struct Catalogue {
    pages: u32,
    articles_per_page: u32,
}

impl Source<String> for Catalogue {
    type Split = Page;

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }

    fn enumerator(&self, _parallelism: u32) -> Result<Box<dyn SplitEnumerator<Page>>, BoxError> {
        Ok(Box::new(Pages {
            left: (1..=self.pages).rev().collect(),
        }))
    }

    fn reader(
        &self,
        _context: &ReaderContext,
    ) -> Result<Box<dyn SourceReader<String, Page>>, BoxError> {
        Ok(Box::new(PageReader {
            articles: self.articles_per_page,
            pages: Vec::new(),
        }))
    }
}

/// Hands a page to whoever has none left: fast subtasks read more of them.
struct Pages {
    left: Vec<u32>,
}

impl SplitEnumerator<Page> for Pages {
    fn request(&mut self, _subtask: u32) -> Result<Assignment<Page>, BoxError> {
        Ok(match self.left.pop() {
            Some(number) => Assignment::Splits(vec![Page { number, next: 1 }]),
            None => Assignment::NoMore,
        })
    }
}

struct PageReader {
    articles: u32,
    pages: Vec<Page>,
}

impl SourceReader<String, Page> for PageReader {
    fn add_splits(&mut self, splits: Vec<Page>) {
        self.pages.extend(splits);
    }

    /// Emits up to `budget` rows. A reader that has to wait returns `Pending` instead, and raises
    /// the signal of its context when there is something.
    fn poll(
        &mut self,
        out: &mut SourceOutput<String>,
        budget: usize,
    ) -> Result<ReaderStatus, BoxError> {
        let Some(page) = self.pages.last_mut() else {
            return Ok(ReaderStatus::WantsSplit);
        };
        while page.next <= self.articles {
            if out.len() >= budget {
                return Ok(ReaderStatus::More);
            }
            out.emit(
                page.number,
                format!("page {} article {}", page.number, page.next),
            );
            page.next += 1;
        }
        out.finish_split(page.number);
        self.pages.pop();
        Ok(ReaderStatus::WantsSplit)
    }

    fn splits(&self) -> Vec<Page> {
        self.pages.clone()
    }
}

fn main() -> ExitCode {
    rheos::main(|env| {
        let catalogue = Catalogue {
            pages: 3,
            articles_per_page: 2,
        };
        env.from_source(catalogue, WatermarkStrategy::no_watermarks(), "catalogue")
            .sink_to(PrintSink::new())
            .parallelism(1);
        Ok(())
    })
}
