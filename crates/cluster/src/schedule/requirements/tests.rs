use rheos_core::job_graph::{Chaining, OperatorEdge, OperatorNode};

use super::*;

/// Vertices of these names, parallelisms and slot sharing groups, in a row.
fn graph(vertices: &[(&str, u32, &str)], partitioning: &[&str]) -> JobGraph {
    let operators = vertices
        .iter()
        .map(|(name, parallelism, group)| OperatorNode {
            uid: (*name).to_owned(),
            name: (*name).to_owned(),
            kind: String::new(),
            parallelism: *parallelism,
            chaining: Chaining::Never,
            slot_sharing_group: (*group).to_owned(),
        });
    let edges = partitioning
        .iter()
        .enumerate()
        .map(|(from, partitioning)| OperatorEdge {
            from,
            to: from + 1,
            input: 0,
            side_output: None,
            partitioning: (*partitioning).to_owned(),
        });
    JobGraph::new("job", operators.collect(), edges.collect(), true)
}

fn bounds(each: &[(u32, u32)]) -> Requirements {
    let each = each.iter();
    Requirements::new(
        each.map(|(lower, upper)| Bounds {
            lower: *lower,
            upper: *upper,
        })
        .collect(),
    )
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let graph = graph(&[("a", 2, "x"), ("b", 2, "x")], &["HASH"]);
    let refused = |each: &[(u32, u32)]| {
        let error = bounds(each).check(&graph, &[8, 1]).unwrap_err();
        error.to_string()
    };
    assert_eq!(bounds(&[(1, 8), (1, 1)]).check(&graph, &[8, 1]), Ok(()));
    let count = refused(&[(1, 2)]);
    assert!(
        count.contains("1 vertices") && count.contains("has 2"),
        "{count}"
    );
    let none = refused(&[(0, 2), (1, 1)]);
    assert!(none.contains("'a'") && none.contains("is 0"), "{none}");
    let crossed = refused(&[(3, 2), (1, 1)]);
    assert!(
        crossed.contains("3 is above the upper bound 2"),
        "{crossed}"
    );
    let many = refused(&[(1, 9), (1, 1)]);
    assert!(
        many.contains("is 9") && many.contains("at most 8"),
        "{many}"
    );
    let one = refused(&[(1, 2), (1, 2)]);
    assert!(
        one.contains("'b'") && one.contains("in one subtask"),
        "{one}"
    );
}

#[test]
fn vertices_that_are_joined_keep_one_width() {
    let graph = graph(
        &[("a", 2, "x"), ("b", 2, "y"), ("c", 2, "x")],
        &["FORWARD", "HASH"],
    );
    let at_most = [8, 6, 8];
    let error = bounds(&[(1, 4), (1, 3), (1, 4)]).check(&graph, &at_most);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("'b' is joined to 'a'"), "{error}");
    assert_eq!(
        bounds(&[(1, 4), (1, 4), (1, 3)]).check(&graph, &at_most),
        Ok(())
    );
    // Of two groups, the one with fewer slots sets the width of both.
    let wide = bounds(&[(1, 4), (1, 4), (1, 5)]);
    assert_eq!(wide.fit(&graph, Some(5)).unwrap(), [2, 2, 3]);
    let widest = Requirements::widest(&graph, &at_most);
    assert_eq!(widest, bounds(&[(1, 6), (1, 6), (1, 8)]));
    assert_eq!(widest.check(&graph, &at_most), Ok(()));
}

#[test]
fn slots_set_the_width_between_the_bounds() {
    let graph = graph(&[("a", 4, "x"), ("b", 2, "x")], &["HASH"]);
    let up_to = Requirements::up_to(&graph);
    let fits: Vec<_> = [None, Some(9), Some(4), Some(3), Some(1)]
        .map(|slots| up_to.fit(&graph, slots).unwrap())
        .into();
    assert_eq!(fits, [[4, 2], [4, 2], [4, 2], [3, 2], [1, 1]]);
    let error = bounds(&[(2, 4), (1, 2)]).fit(&graph, Some(1)).unwrap_err();
    assert!(matches!(
        error,
        JobError::NoResource {
            needed: 2,
            available: 1
        }
    ));
    let fixed = Requirements::fixed(&graph);
    assert!(fixed.is_fixed() && !up_to.is_fixed());
    assert!(fixed.fit(&graph, Some(3)).is_err());
}

#[test]
fn groups_get_slots_in_turn() {
    let graph = graph(
        &[("a", 4, "x"), ("b", 4, "y"), ("c", 1, "z")],
        &["HASH", "HASH"],
    );
    let up_to = Requirements::up_to(&graph);
    assert_eq!(up_to.fit(&graph, Some(6)).unwrap(), [3, 2, 1]);
    assert_eq!(up_to.fit(&graph, Some(3)).unwrap(), [1, 1, 1]);
    assert!(up_to.fit(&graph, Some(2)).is_err());
}
