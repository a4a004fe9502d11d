use super::*;

fn settings(arguments: &[&str]) -> SettingsArgs {
    let command = Cli::try_parse_from([&["sumun", "run"], arguments].concat()).unwrap().command;
    let Command::Run(args) = command else { panic!("run") };
    args
}

#[test]
fn the_contract_s_flags_are_understood() {
    let args = settings(&[
        "--to",
        "http://127.0.0.1:8081",
        "--config",
        "x.yaml",
        "--policies",
        "p",
        "--listen",
        "127.0.0.1:1",
        "--admin",
        "127.0.0.1:2",
        "--state",
        "s",
        "--redis",
        "redis://x",
        "--workers",
        "2",
    ]);
    assert_eq!(args.config, Some(PathBuf::from("x.yaml")));
    let wanted = [
        ("admin.listen", "127.0.0.1:2"),
        ("listen", "127.0.0.1:1"),
        ("policies", "p"),
        ("redis.url", "redis://x"),
        ("state", "s"),
        ("to", "http://127.0.0.1:8081"),
        ("workers", "2"),
    ];
    let found: Vec<(&str, &str)> = args.flags.iter().map(|(k, v)| (*k, v.as_str())).collect();
    assert_eq!(found, wanted);
}

#[test]
fn every_setting_has_its_flag() {
    for key in settings::KEYS {
        let args = settings(&[&format!("--{}=x", key.flag)]);
        assert_eq!(args.flags[key.path], "x");
    }
    assert_eq!(settings(&["--read-only"]).flags["admin.read_only"], "true");
}

#[test]
fn the_command_line_is_consistent() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
    assert_eq!(
        Cli::try_parse_from(["sumun", "check", "--output", "xml"]).unwrap_err().exit_code(),
        2
    );
    assert_eq!(Cli::try_parse_from(["sumun"]).unwrap_err().exit_code(), 2);
}

const POLICY: &str = "\
version: 1
upstreams:
  mailbox: { endpoints: [http://127.0.0.1:9101], workers_max: 200 }
functions:
  receive: { upstream: mailbox, reserved: 300 }
routes:
  mail-receive:
    match: { methods: [POST], path: /mail/receive/** }
    function: receive
    class: batch
    admission: { rps: { limit: 500, burst: 50 }, workers: { enter: 85%, exit: 75% } }
  mail-list:
    match: { methods: [GET], path: /mail/list/** }
    upstream: mailbox
    cache: { fresh_for: 30s }
  mail-reindex:
    match: { path: /mail/reindex/* }
    upstream: mailbox
    class: bulk
    admission: { rps: { limit: 20, per: caller } }
";

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn explained(method: &str, url: &str, headers: &[&str]) -> (String, bool) {
    let folder = folder(&[("mail.yaml", POLICY)]);
    let args = ExplainArgs {
        method: method.to_owned(),
        url: url.to_owned(),
        headers: headers.iter().map(|h| (*h).to_owned()).collect(),
        policies: Some(folder.path().to_owned()),
    };
    let policy = check::policy(folder.path()).unwrap();
    let live = sumun_engine::live::Live::new();
    let now = sumun_engine::time::Moment::default();
    let snapshot = sumun_engine::snapshot::Snapshot::compile(policy, 1, &live, now);
    explain::Call::parse(&args).unwrap().explained(&snapshot)
}

#[test]
fn explain_names_route_class_thresholds_quota_and_cache() {
    let (text, found) = explained("post", "http://gateway:8080/mail/receive/7?x=1", &["a: b"]);
    assert!(found);
    for part in [
        "route     mail-receive",
        "mail.yaml:7)",
        "class     batch, unless Sumun-Class says another",
        "upstream  mailbox: http://127.0.0.1:9101",
        "enforce; rps 500 burst 50 per route; workers enter 85% exit 75%; on_stale proven",
        "quota     function receive: reserved 300",
        "cache     off",
    ] {
        assert!(text.contains(part), "{part} in:\n{text}");
    }
    let (text, _) = explained("GET", "/mail/list/7", &[]);
    assert!(text.contains("no thresholds: never shed"), "{text}");
    assert!(text.contains("cache     fresh for 30s where the origin gives none"), "{text}");
    let asked = ["authorization: Bearer a", "cache-control: no-store", "range: bytes=0-1"];
    let (text, _) = explained("GET", "/mail/list/7", &asked);
    for part in ["with Authorization: stored and", "no-store: neither", "Range: a part of"] {
        assert!(text.contains(part), "{part} in:\n{text}");
    }
    let (text, _) = explained("POST", "/mail/reindex/7", &[]);
    let wanted = "enforce; rps 20 burst 20 per caller (unknown callers share one); on_stale proven";
    assert!(text.contains(wanted), "{text}");
    assert!(text.contains("class     bulk, unless Sumun-Class says another"), "{text}");
    let (text, found) = explained("GET", "/nothing", &[]);
    assert_eq!((text.as_str(), found), ("no route: 404 route_unknown\n", false));
}

#[test]
fn explain_says_what_the_call_s_own_class_does() {
    let class = |url: &str, said: &str| {
        let (text, _) = explained("POST", url, &[&format!("sumun-class: {said}")]);
        text.lines().find_map(|line| line.strip_prefix("class     ")).unwrap_or(&text).to_owned()
    };
    let batch = "/mail/receive/7";
    assert_eq!(class(batch, "bulk"), "bulk, lowered by Sumun-Class from batch");
    assert_eq!(class(batch, "batch"), "batch");
    assert_eq!(class(batch, "urgent"), "batch; Sumun-Class names no class");
    let raised = "batch; Sumun-Class raises it for those in callers.may_raise only";
    assert_eq!(class(batch, "interactive"), raised);
}

#[test]
fn explain_matches_the_path_and_host_that_the_gateway_would() {
    let (text, found) = explained("GET", "/mail/read/../list/7", &[]);
    assert!(found && text.starts_with("route     mail-list"), "{text}");
    for (method, url, wanted) in [
        ("GET", "/mail/list/%2e%2e/7", "400 bad_request, the path has an encoded dot (strict_path"),
        ("GET", "/none/%2f", "400 bad_request, the path has an encoded slash"),
        ("TRACE", "/mail/list/7", "405 method_not_allowed, TRACE is not forwarded"),
    ] {
        let (text, found) = explained(method, url, &[]);
        assert!(!found && text.starts_with(&format!("refused: {wanted}")), "{text}");
    }
    let parse = |url: &str, header: &str| {
        let args = ExplainArgs {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: vec![header.to_owned()],
            policies: None,
        };
        explain::Call::parse(&args).map(|call| call.host().to_owned())
    };
    assert_eq!(parse("/", "host: [::1]:8080").unwrap(), "[::1]");
    assert_eq!(parse("/", "host: Mail.Internal:80").unwrap(), "mail.internal");
    assert_eq!(parse("http://a.test:1/", "host: b.test").unwrap(), "a.test");
    assert!(parse("/", "host: a b").is_err());
    assert!(parse("mailbox", "host: a").is_err());
}

#[test]
fn problems_are_named_by_the_path_that_was_given() {
    let folder = folder(&[("a.yaml", POLICY), ("b.yaml", "version: 1\nrutes: {}\n")]);
    let (files, unread) = check::read(&[folder.path().to_owned()]);
    assert_eq!((files.len(), unread.len()), (2, 0));
    let (_, problems) = sumun_policy::check(&files);
    let path = folder.path().join("b.yaml").display().to_string();
    assert!(problems[0].to_string().starts_with(&format!("{path}:2:1: ")), "{problems:?}");

    let (single, _) = check::read(&[folder.path().join("a.yaml")]);
    assert!(sumun_policy::check(&single).1.is_empty());
    let (_, missing) = check::read(&[folder.path().join("none.yaml")]);
    assert_eq!(missing[0].message, "there is no such file or folder");
    assert!(missing[0].help.contains("--policies"));
    std::fs::write(folder.path().join("c.yaml"), [b'a', 0xff]).unwrap();
    let bad = check::policy(folder.path()).unwrap_err();
    let shown: Vec<&str> = bad.iter().map(|problem| problem.message.as_str()).collect();
    let unknown = "a policy file has no key `rutes`";
    assert_eq!(shown, [unknown, "is not UTF-8: the byte 0xff does not belong here"], "{bad:?}");
    assert!(bad[1].file.ends_with("/c.yaml"), "{bad:?}");
}

#[test]
fn exit_codes_are_those_of_the_contract() {
    let fine = folder(&[("a.yaml", POLICY)]);
    let broken = folder(&[("a.yaml", "version: 2\n")]);
    for output in [Output::Text, Output::Json] {
        let code = |folder: &tempfile::TempDir| {
            format!(
                "{:?}",
                check(&CheckArgs { policies: vec![folder.path().to_owned()], output, live: false })
            )
        };
        assert_eq!(code(&fine), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(code(&broken), format!("{:?}", ExitCode::FAILURE));
    }
    let args = ExplainArgs {
        method: "GET".to_owned(),
        url: "/x".to_owned(),
        headers: vec!["no-colon".to_owned()],
        policies: Some(fine.path().to_owned()),
    };
    assert_eq!(format!("{:?}", explain(&args)), format!("{:?}", ExitCode::from(2)));
}
