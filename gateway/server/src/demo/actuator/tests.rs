use std::collections::BTreeMap;
use std::time::Duration;

use super::{Reading, Served, text};

/// Sample lines by series with labels; panics on a line that is no sample and no comment.
fn parse(text: &str) -> BTreeMap<String, String> {
    assert!(text.ends_with('\n'));
    text.lines()
        .filter(|line| !line.starts_with("# "))
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
            (series.to_owned(), value.to_owned())
        })
        .collect()
}

fn reading() -> Reading {
    Reading { busy: 17, max: 20, system_cpu: 0.73, process_cpu: 0.7 }
}

#[test]
fn names_are_those_of_spring_boot() {
    let mut served = Served::default();
    served.record("GET", "/mail/list/{folder}", 200, Duration::from_millis(250));
    served.record("GET", "/mail/list/{folder}", 200, Duration::from_millis(750));
    served.record("POST", "/mail/receive/{account}", 503, Duration::ZERO);
    let samples = parse(&text(&reading(), &served));
    let tomcat = "{name=\"http-nio-8080\"}";
    assert_eq!(samples[&format!("tomcat_threads_busy_threads{tomcat}")], "17.0");
    assert_eq!(samples[&format!("tomcat_threads_config_max_threads{tomcat}")], "20.0");
    assert_eq!(samples["system_cpu_usage"], "0.73");
    assert_eq!(samples["process_cpu_usage"], "0.7");
    let listed = "{error=\"none\",exception=\"none\",method=\"GET\",outcome=\"SUCCESS\",\
                  status=\"200\",uri=\"/mail/list/{folder}\"}";
    assert_eq!(samples[&format!("http_server_requests_seconds_count{listed}")], "2");
    assert_eq!(samples[&format!("http_server_requests_seconds_sum{listed}")], "1.0");
    assert_eq!(samples[&format!("http_server_requests_seconds_max{listed}")], "0.75");
    assert!(samples.keys().any(|series| series.contains("outcome=\"SERVER_ERROR\"")));
}

#[test]
fn every_family_has_help_and_type_once_before_its_samples() {
    let mut served = Served::default();
    served.record("GET", "/mail/read/{id}", 200, Duration::from_millis(40));
    let text = text(&reading(), &served);
    let mut typed: Vec<&str> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let name = help.split(' ').next().unwrap();
            let kind = lines.next().unwrap();
            assert!(kind.starts_with(&format!("# TYPE {name} ")), "{kind}");
            assert!(!typed.contains(&name), "{name} twice");
            typed.push(name);
        } else {
            let family = typed.last().unwrap();
            assert!(line.starts_with(family), "{line} stands under {family}");
        }
    }
    assert_eq!(typed.len(), 7);
}
