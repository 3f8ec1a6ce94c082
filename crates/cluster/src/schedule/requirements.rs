//! How wide a job may run: what is asked for, whether that fits the job, and what of it the slots
//! allow. Pure.

use std::collections::BTreeMap;

use rheos_core::job_graph::JobGraph;

use super::scaling::Fit;
use crate::error::JobError;

/// How many subtasks a vertex may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// At least so many: with fewer the job does not run.
    pub lower: u32,
    /// As many, if there are slots for them.
    pub upper: u32,
}

/// How many subtasks each vertex of a job may have, by the vertices' index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirements {
    by_vertex: Vec<Bounds>,
}

/// Why requirements don't fit a job: ask for others.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequirementsError {
    /// Not every vertex has bounds, or there are bounds of more.
    #[error("there are bounds for {given} vertices, and the job has {vertices}: give all of them")]
    Count {
        /// Bounds that there are.
        given: usize,
        /// Vertices of the job.
        vertices: usize,
    },
    /// A vertex without subtasks.
    #[error("vertex '{vertex}': the lower bound is {lower}; it is 1 at least")]
    None {
        /// The vertex.
        vertex: String,
        /// What was asked for.
        lower: u32,
    },
    /// The bounds are the wrong way round.
    #[error("vertex '{vertex}': the lower bound {lower} is above the upper bound {upper}")]
    Crossed {
        /// The vertex.
        vertex: String,
        /// What was asked for at least,
        lower: u32,
        /// and at most.
        upper: u32,
    },
    /// More subtasks than the vertex can have.
    #[error(
        "vertex '{vertex}': the upper bound is {upper}; the vertex can have at most {most} ({why})"
    )]
    TooMany {
        /// The vertex.
        vertex: String,
        /// What was asked for.
        upper: u32,
        /// What it can have.
        most: u32,
        /// What sets that.
        why: &'static str,
    },
    /// Two vertices that must have the same number of subtasks would not.
    #[error(
        "vertex '{vertex}' is joined to '{other}' by a forward edge, so that both have the same \
         parallelism: {lower}..{upper} and {other_lower}..{other_upper} were asked for; give both \
         the same, or put rebalance() between them in the job"
    )]
    Joined {
        /// One vertex,
        vertex: String,
        /// and the other.
        other: String,
        /// The bounds of one,
        lower: u32,
        /// both,
        upper: u32,
        /// and of the other.
        other_lower: u32,
        /// Both.
        other_upper: u32,
    },
}

impl Requirements {
    /// These bounds, by vertex.
    pub fn new(by_vertex: Vec<Bounds>) -> Self {
        Self { by_vertex }
    }

    /// Exactly the subtasks that a graph says.
    pub fn fixed(graph: &JobGraph) -> Self {
        let each = graph.parallelism().into_iter();
        Self::new(
            each.map(|parallelism| Bounds {
                lower: parallelism,
                upper: parallelism,
            })
            .collect(),
        )
    }

    /// As many subtasks as a graph says, or fewer.
    pub fn up_to(graph: &JobGraph) -> Self {
        let each = graph.parallelism().into_iter();
        Self::new(each.map(|upper| Bounds { lower: 1, upper }).collect())
    }

    /// As many subtasks as the vertices can have, or fewer.
    pub fn widest(graph: &JobGraph, at_most: &[u32]) -> Self {
        let mut upper = at_most.to_vec();
        // Those that are joined have the least of them.
        let joined = graph.joined();
        for (vertex, first) in joined.iter().enumerate() {
            let of = joined
                .iter()
                .zip(at_most)
                .filter(|(other, _)| *other == first);
            let least = of.map(|(_, most)| *most).min();
            if let (Some(upper), Some(least)) = (upper.get_mut(vertex), least) {
                *upper = least;
            }
        }
        Self::new(
            upper
                .into_iter()
                .map(|upper| Bounds { lower: 1, upper })
                .collect(),
        )
    }

    /// The bounds, by vertex.
    pub fn bounds(&self) -> &[Bounds] {
        &self.by_vertex
    }

    /// Whether slots that come or go can change anything.
    pub fn is_fixed(&self) -> bool {
        self.by_vertex.iter().all(|of| of.lower == of.upper)
    }

    /// Finds out whether they fit a job whose vertices can have so many subtasks.
    ///
    /// # Errors
    /// The first vertex that they don't fit.
    pub fn check(&self, graph: &JobGraph, at_most: &[u32]) -> Result<(), RequirementsError> {
        if self.by_vertex.len() != graph.vertices.len() {
            return Err(RequirementsError::Count {
                given: self.by_vertex.len(),
                vertices: graph.vertices.len(),
            });
        }
        for ((bounds, vertex), most) in self.by_vertex.iter().zip(&graph.vertices).zip(at_most) {
            let Bounds { lower, upper } = *bounds;
            let vertex = vertex.name.clone();
            if lower == 0 {
                return Err(RequirementsError::None { vertex, lower });
            }
            if lower > upper {
                return Err(RequirementsError::Crossed {
                    vertex,
                    lower,
                    upper,
                });
            }
            if upper > *most {
                return Err(RequirementsError::TooMany {
                    vertex,
                    upper,
                    most: *most,
                    why: match most {
                        1 => "it sees all rows in one subtask",
                        _ => "pipeline.max-parallelism, or the number of key groups",
                    },
                });
            }
        }
        let joined = graph.joined();
        for (vertex, first) in joined.iter().enumerate() {
            let of = |index: usize| {
                let name = graph.vertices.get(index).map(|vertex| vertex.name.clone());
                name.zip(self.by_vertex.get(index).copied())
            };
            let (Some((vertex, own)), Some((other, others))) = (of(vertex), of(*first)) else {
                continue;
            };
            if own != others {
                return Err(RequirementsError::Joined {
                    vertex,
                    other,
                    lower: own.lower,
                    upper: own.upper,
                    other_lower: others.lower,
                    other_upper: others.upper,
                });
            }
        }
        Ok(())
    }

    /// By group of vertices that share slots: those that it needs at least, and those that it can use.
    fn groups<'a>(&self, graph: &'a JobGraph) -> BTreeMap<&'a str, (u32, u32)> {
        let mut groups = BTreeMap::<&str, (u32, u32)>::new();
        for (bounds, vertex) in self.by_vertex.iter().zip(&graph.vertices) {
            let group = groups.entry(&vertex.slot_sharing_group).or_default();
            *group = (group.0.max(bounds.lower), group.1.max(bounds.upper));
        }
        groups
    }

    /// The slots that the job needs at least.
    pub fn needed(&self, graph: &JobGraph) -> u32 {
        self.groups(graph).values().map(|(least, _)| *least).sum()
    }

    /// The slots that the job can use.
    pub fn wanted(&self, graph: &JobGraph) -> u32 {
        let groups = self.groups(graph);
        let most = groups.values().map(|(_, most)| *most);
        most.fold(0, u32::saturating_add)
    }

    /// As [`Requirements::fit`]; none if there are too few slots.
    pub fn fitting(&self, graph: &JobGraph, slots: Option<u32>) -> Option<Fit> {
        let parallelism = self.fit(graph, slots).ok()?;
        let upper = self.by_vertex.iter().map(|bounds| bounds.upper);
        let whole = upper.eq(parallelism.iter().copied());
        Some(Fit { parallelism, whole })
    }

    /// The subtasks of each vertex with so many slots; `None` is as many as it wants. Each group of
    /// vertices that share slots gets what it needs at least, then they get one after the other in
    /// turn.
    ///
    /// # Errors
    /// If there are too few for what is asked for at least.
    pub fn fit(&self, graph: &JobGraph, slots: Option<u32>) -> Result<Vec<u32>, JobError> {
        let upper = || self.by_vertex.iter().map(|bounds| bounds.upper).collect();
        let Some(available) = slots else {
            return Ok(upper());
        };
        let mut groups = self.groups(graph);
        let needed: u32 = groups.values().map(|(least, _)| *least).sum();
        let mut left = available
            .checked_sub(needed)
            .ok_or(JobError::NoResource { needed, available })?;
        let mut more = true;
        while left > 0 && more {
            more = false;
            for (given, most) in groups.values_mut() {
                if given < most && left > 0 {
                    (*given, left, more) = (*given + 1, left - 1, true);
                }
            }
        }
        let mut fitting: Vec<u32> = self
            .by_vertex
            .iter()
            .zip(&graph.vertices)
            .map(|(bounds, vertex)| {
                let group = groups.get(vertex.slot_sharing_group.as_str());
                bounds.upper.min(group.map_or(1, |(given, _)| *given))
            })
            .collect();
        // Those that are joined may be in several groups; they have the same bounds.
        let joined = graph.joined();
        let least_of = |first: usize| {
            let of = joined.iter().zip(&fitting);
            of.filter(|(other, _)| **other == first)
                .map(|(_, fitting)| *fitting)
                .min()
        };
        let least: Vec<Option<u32>> = joined.iter().map(|first| least_of(*first)).collect();
        for (fitting, least) in fitting.iter_mut().zip(least) {
            *fitting = least.unwrap_or(*fitting);
        }
        Ok(fitting)
    }
}

#[cfg(test)]
mod tests;
