use super::super::Outcome;
use super::super::tests::kit::{Kit, asked, response};
use super::*;

#[tokio::test]
async fn an_answer_that_landed_between_the_look_and_the_lead_is_served() {
    let kit = Kit::new();
    let head = HeaderMap::new();
    let asked = asked(&Method::GET, "/", &head);
    let call = Call {
        asked: &asked,
        rules: &kit.rules,
        route: &kit.route,
        key: Key::new(&asked, &kit.rules.key),
        wishes: Wishes::default(),
    };
    let found = kit.cache.find(&call, kit.now());
    assert!(matches!(found, Found::Nothing));
    kit.get(&[], response(200, &[("cache-control", "max-age=60")], "a")).await;
    let recalled = kit.cache.miss(call, found, kit.now()).await;
    let Recalled::Answer { outcome: Outcome { result, .. }, .. } = recalled else {
        panic!("asked the origin again")
    };
    assert_eq!(result, CacheResult::Hit);
    assert_eq!(kit.cache.inner.flights.count(), (0, 0));
}
