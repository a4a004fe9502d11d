use super::*;

#[test]
fn every_known_method_is_its_own_label_and_the_rest_is_other() {
    for name in &METHODS[1..] {
        let method = Method::from_bytes(name.as_bytes()).unwrap();
        assert_eq!(method_label(method_index(&method)), *name);
    }
    for name in ["get", "PROPFIND", "X"] {
        let method = Method::from_bytes(name.as_bytes()).unwrap();
        assert_eq!(method_label(method_index(&method)), "_OTHER");
    }
    assert_eq!(method_label(200), "_OTHER");
}

#[test]
fn labels_stand_in_the_order_of_their_enum() {
    for (index, code) in Code::ALL.into_iter().enumerate() {
        assert_eq!(code as usize, index);
    }
    // Debug is the variant's name, the label its lower case.
    for result in [CacheResult::Hit, CacheResult::Stale, CacheResult::Bypass] {
        assert_eq!(cache_label(result), format!("{result:?}").to_lowercase());
    }
}
