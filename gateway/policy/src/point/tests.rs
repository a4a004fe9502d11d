use super::problem_at;

fn files() -> Vec<(String, String)> {
    let routes = "version: 1\nroutes: {}\n";
    let upstreams = "version: 1\nupstreams:\n  mail:\n    endpoints: [http://127.0.0.1:1]\n    signals: { source: actuator }\n";
    [("a.yaml", routes), ("b.yaml", upstreams)].map(|(n, t)| (n.to_owned(), t.to_owned())).into()
}

#[test]
fn a_key_is_pointed_at_in_the_file_that_has_it() {
    let path = ["upstreams", "mail", "signals"];
    let problem = problem_at(&files(), &path, "it is silent", "set something").unwrap();
    assert_eq!(problem.to_string(), "b.yaml:5:5: it is silent");
    let shown = problem.render();
    assert!(shown.contains("5 |     signals: { source: actuator }"), "{shown}");
    assert!(shown.contains("|     ^^^^^^^\n"), "{shown}");
    assert_eq!(problem.help, "set something");
}

#[test]
fn a_key_that_is_nowhere_is_not_made_up() {
    for path in [&["upstreams", "other", "signals"][..], &["pool"], &["version", "deeper"], &[]] {
        assert!(problem_at(&files(), path, "x", "y").is_none(), "{path:?}");
    }
    assert!(problem_at(&[("a.yaml".into(), "{".into())], &["version"], "x", "y").is_none());
}
