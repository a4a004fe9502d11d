use super::*;

fn asked(route: Class, text: &'static str, may_raise: bool) -> (Class, ClassAsked) {
    settle(route, &HeaderValue::from_static(text), || may_raise)
}

#[test]
fn anybody_may_be_shed_sooner_and_only_who_may_later() {
    for route in Class::ALL {
        for class in Class::ALL {
            for may_raise in [false, true] {
                let (held, outcome) = asked(route, class.as_str(), may_raise);
                let wanted = match class.cmp(&route) {
                    std::cmp::Ordering::Less => (class, ClassAsked::Lowered),
                    std::cmp::Ordering::Equal => (route, ClassAsked::Same),
                    std::cmp::Ordering::Greater if may_raise => (class, ClassAsked::Raised),
                    std::cmp::Ordering::Greater => (route, ClassAsked::Denied),
                };
                assert_eq!((held, outcome), wanted, "{class:?} on {route:?}");
            }
        }
    }
}

#[test]
fn what_is_no_class_changes_nothing() {
    for text in ["", "Interactive", "urgent", "bulk, interactive", "bulk "] {
        assert_eq!(asked(Class::Batch, text, true), (Class::Batch, ClassAsked::Unknown), "{text}");
    }
}

#[test]
fn every_outcome_has_its_label() {
    for (outcome, label) in [
        (ClassAsked::Lowered, "lowered"),
        (ClassAsked::Raised, "raised"),
        (ClassAsked::Denied, "denied"),
        (ClassAsked::Unknown, "unknown"),
        (ClassAsked::Same, "same"),
    ] {
        assert_eq!(ClassAsked::LABELS[outcome as usize], label);
    }
}
