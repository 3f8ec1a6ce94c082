//! Broadcast maps and the lists of a subtask.
#![allow(clippy::unwrap_used)]

use rheos_state::{
    BroadcastStateDescriptor, OperatorBackend, OperatorListStateDescriptor, Redistribution,
};

#[test]
fn the_keyed_side_sees_what_the_broadcast_side_writes_in_the_order_of_keys() {
    let mut backend = OperatorBackend::new();
    let rules = backend
        .broadcast(&BroadcastStateDescriptor::<i64, String>::new("rules"))
        .unwrap();
    let seen = rules.read_only();
    for key in [5, -3, 12, 0] {
        assert_eq!(rules.insert(key, format!("rule {key}")), None);
    }
    assert_eq!(
        rules.insert(12, "twelve".to_owned()).as_deref(),
        Some("rule 12")
    );
    rules.upsert(5, String::new(), |rule| rule.push('!'));
    assert_eq!(rules.remove(&0).as_deref(), Some("rule 0"));
    let order: Vec<(i64, String)> = seen.entries();
    let expected = [(-3, "rule -3"), (5, "rule 5!"), (12, "twelve")];
    assert_eq!(order, expected.map(|(key, rule)| (key, rule.to_owned())));
    assert_eq!(seen.with(&5, |rule| rule.map(String::len)), Some(7));
    assert!(!seen.contains(&0));
    assert_eq!(seen.len(), 3);
}

#[test]
fn what_one_operator_shows_another_takes_back() {
    let declare = |backend: &mut OperatorBackend| {
        let list = backend
            .list(&OperatorListStateDescriptor::<u64>::new("offsets"))
            .unwrap();
        let map = backend
            .broadcast(&BroadcastStateDescriptor::<u32, bool>::new("flags"))
            .unwrap();
        (list, map)
    };
    let mut backend = OperatorBackend::new();
    let (list, map) = declare(&mut backend);
    list.add_all([3, 1, 2]);
    map.insert(7, true);
    let mut restored = OperatorBackend::new();
    let (restored_list, restored_map) = declare(&mut restored);
    backend.snapshot(|entry| restored.restore(&entry)).unwrap();
    assert_eq!(restored_list.get(), [3, 1, 2]);
    assert_eq!(restored_map.entries(), [(7, true)]);

    let mut other = OperatorBackend::new();
    other
        .list(&OperatorListStateDescriptor::<u64>::new("flags"))
        .unwrap();
    let error = backend.snapshot(|entry| other.restore(&entry)).unwrap_err();
    assert!(error.to_string().contains("`offsets`"), "{error}");
    let twice = backend
        .list(&OperatorListStateDescriptor::<u64>::new("flags"))
        .unwrap_err();
    assert!(twice.to_string().contains("`flags`"), "{twice}");
}

#[test]
fn elements_are_dealt_out_evenly_or_to_all() {
    let lists = vec![vec![1, 2, 3], vec![], vec![4, 5]];
    let split = Redistribution::Split;
    assert_eq!(split.deal(lists.clone(), 2), [vec![1, 2, 3], vec![4, 5]]);
    assert_eq!(
        split.deal(lists.clone(), 3),
        [vec![1, 2], vec![3, 4], vec![5]]
    );
    assert_eq!(split.deal(vec![vec![1]], 3), [vec![1], vec![], vec![]]);
    assert_eq!(
        Redistribution::Union.deal(lists, 2),
        [vec![1, 2, 3, 4, 5], vec![1, 2, 3, 4, 5]]
    );
}
