use std::time::Duration;

use super::*;
use crate::sense::scrape::ScrapeError;

fn policy(text: &str) -> Policy {
    let (policy, problems) = sumun_policy::check(&[("p.yaml".to_owned(), text.to_owned())]);
    policy.unwrap_or_else(|| panic!("{problems:?}"))
}

const MAIL: &str = "\
version: 1
upstreams:
  mail: { endpoints: [http://127.0.0.1:1, http://127.0.0.1:2], signals: { source: actuator } }
  quiet: { endpoints: [http://127.0.0.1:3] }
routes:
  mail: { match: { path: /** }, upstream: mail }
";

fn name(name: &str) -> Name {
    Name::new(name).unwrap()
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint::parse(url).unwrap()
}

#[test]
fn findings_are_of_the_endpoint_that_has_them() {
    let charts = Charts::default();
    charts.follow(&policy(MAIL));
    assert!(charts.findings("mail").is_empty());
    charts.note(&name("mail"), &endpoint("http://127.0.0.1:2"), &Err(ScrapeError::Timeout));
    let findings = charts.findings("mail");
    assert_eq!(findings.len(), 1);
    assert_eq!(
        (findings[0].id, findings[0].endpoint.as_str()),
        ("answer-too-slow", "http://127.0.0.1:2")
    );
    assert_eq!(charts.counts(), [(name("mail"), 1)], "only what is watched is counted");
    assert!(charts.findings("quiet").is_empty());
    assert!(charts.findings("nobody").is_empty());
}

#[test]
fn a_chart_lives_as_long_as_its_endpoint_and_its_signals() {
    let charts = Charts::default();
    charts.follow(&policy(MAIL));
    let (one, two) = (endpoint("http://127.0.0.1:1"), endpoint("http://127.0.0.1:2"));
    for endpoint in [&one, &two] {
        charts.note(&name("mail"), endpoint, &Err(ScrapeError::Timeout));
    }
    charts.follow(&policy(MAIL));
    assert_eq!(charts.counts(), [(name("mail"), 2)], "nothing changed");
    charts.follow(&policy(&MAIL.replace("http://127.0.0.1:1, ", "")));
    assert_eq!(charts.counts(), [(name("mail"), 1)]);
    charts.note(&name("mail"), &one, &Err(ScrapeError::Timeout));
    assert_eq!(charts.counts(), [(name("mail"), 1)], "a late scrape of a gone endpoint");
    charts.follow(&policy(&MAIL.replace("source: actuator", "source: actuator, every: 2s")));
    assert_eq!(charts.counts(), [(name("mail"), 0)], "other signals, another chart");
}

#[test]
fn the_log_hears_of_a_change_once_and_not_more_often_than_it_can_bear() {
    let policy = policy(MAIL);
    let upstream = &policy.upstreams[&name("mail")];
    let endpoint = &upstream.endpoints[0];
    let mut kept = Kept::default();
    let begun = Instant::now();
    let at = |s| begun + Duration::from_secs(s);
    kept.chart.note(upstream, &Err(ScrapeError::Timeout));
    kept.log(upstream, endpoint, at(0));
    assert_eq!(kept.logged.at, Some(at(0)));
    kept.log(upstream, endpoint, at(100));
    assert_eq!(kept.logged.at, Some(at(0)), "nothing new, nothing said");
    for _ in 0..4 {
        kept.chart.note(upstream, &Err(ScrapeError::TooLarge));
    }
    kept.log(upstream, endpoint, at(101));
    assert_eq!(kept.logged.at, Some(at(101)));
    for _ in 0..4 {
        kept.chart.note(upstream, &Err(ScrapeError::Timeout));
    }
    kept.log(upstream, endpoint, at(110));
    assert_eq!(kept.logged.at, Some(at(101)), "it is said later");
    kept.log(upstream, endpoint, at(111));
    assert_eq!(kept.logged.complaints, [(Ailment::AnswerTooSlow, None)]);
}
