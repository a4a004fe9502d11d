use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::settings::AccessLogFormat;

/// A settings file in a folder of its own.
struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    fn with(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("sumun.yaml"), text).unwrap();
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("sumun.yaml")
    }

    fn load(
        &self,
        flags: &[(&'static str, &str)],
        environment: &[(&str, &str)],
    ) -> Result<Effective, Vec<SettingsProblem>> {
        load(&Written {
            config: Some(self.path()),
            flags: flags.iter().map(|(path, value)| (*path, (*value).to_owned())).collect(),
            environment: environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        })
    }

    fn problems(&self) -> Vec<String> {
        let prefix = format!("{}:", self.path().display());
        let problems = self.load(&[], &[]).unwrap_err();
        problems.iter().map(|p| p.to_string().replace(&prefix, "")).collect()
    }
}

#[test]
fn without_anything_the_defaults_hold() {
    let effective = load(&Written::default()).unwrap();
    let settings = &effective.settings;
    assert_eq!(settings.listen, "127.0.0.1:8080".parse::<SocketAddr>().unwrap());
    assert_eq!(settings.admin.listen, "127.0.0.1:9900".parse::<SocketAddr>().unwrap());
    assert_eq!(settings.limits.header_bytes, 65_536);
    assert_eq!(settings.cache.memory_bytes, 256 << 20);
    assert_eq!(settings.drain.announce, Duration::from_secs(2));
    assert!(effective.origins.is_empty());
}

#[test]
fn the_file_of_the_contract_is_understood() {
    let file = Folder::with(
        "\
listen: 127.0.0.1:8081
admin: { listen: 127.0.0.1:9901, read_only: true }
tls: { cert: /c.pem, key: /k.pem, client_ca: /ca.pem }
limits: { header_time: 5s, header_bytes: 32KiB, headers: 64, max_body: 2GiB, body_rate: 2KiB,
          idle: 30s, connections: 100, h2_streams: 10 }
trusted_proxies: [10.0.0.0/8, \"fd00::/8\", 192.168.1.1]
callers: { by: [ {header: X-Service-Name}, 'mtls:san', {jwt: sub}, api_key:X-Api-Key ], max: 500,
           may_raise: [ops-console, 'spiffe://mesh/ns/ops'], jwt_keys: /jwks.json }
cache: { store: memory, memory: 64MiB }
redis: { url: rediss://cache:6380/2, user: gateway, password: p, ca: /r.pem, timeout: 20ms }
drain: { announce: 1s, limit: 10s }
access_log: { format: common, to: /var/log/sumun.log }
workers: 3
state: /var/lib/sumun
policies: /etc/sumun/policies
to: http://127.0.0.1:8090/
",
    );
    let settings = file.load(&[], &[]).unwrap().settings;
    assert!(settings.admin.read_only);
    assert_eq!(settings.tls.unwrap().client_ca, Some(PathBuf::from("/ca.pem")));
    assert_eq!(settings.limits.body_bytes_max, 2 << 30);
    assert_eq!(settings.limits.idle, Duration::from_secs(30));
    let networks: Vec<String> = settings.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "fd00::/8", "192.168.1.1/32"]);
    let by: Vec<String> = settings.callers.by.iter().map(ToString::to_string).collect();
    assert_eq!(by, ["header:x-service-name", "mtls:san", "jwt:sub", "api_key:x-api-key"]);
    assert_eq!(settings.callers.callers_max, 500);
    assert_eq!(*settings.callers.may_raise[1], *"spiffe://mesh/ns/ops");
    assert_eq!(settings.access_log.format, AccessLogFormat::Common);
    assert_eq!(settings.redis.address.nodes, [("cache".to_owned(), 6380)]);
    assert_eq!(settings.redis.timeout, Duration::from_millis(20));
    assert_eq!(settings.workers, 3);
    assert_eq!(settings.to.as_deref(), Some("http://127.0.0.1:8090"));
}

#[test]
fn flag_beats_environment_beats_file_and_each_is_remembered() {
    let file = Folder::with("drain: { limit: 1s }\nlimits: { headers: 20, max_body: 1MiB }\n");
    let environment = [("SUMUN_LIMITS_HEADERS", "30"), ("SUMUN_LIMITS_MAX_BODY", "2MiB")];
    let effective = file.load(&[("limits.max_body", "3MiB")], &environment).unwrap();
    assert_eq!(effective.settings.drain.limit, Duration::from_secs(1));
    assert_eq!(effective.settings.limits.headers, 30);
    assert_eq!(effective.settings.limits.body_bytes_max, 3 << 20);
    let printed = effective.render();
    assert!(printed.contains("sumun.yaml:1:17; default 30s: "), "{printed}");
    assert!(printed.contains("from environment SUMUN_LIMITS_HEADERS; default 128"), "{printed}");
    assert!(printed.contains("from flag --limits-max-body; default 1GiB"), "{printed}");
}

#[test]
fn every_key_has_its_own_variable_and_flag() {
    let mut flags: Vec<&str> = KEYS.iter().map(|key| key.flag).collect();
    flags.sort_unstable();
    flags.dedup();
    assert_eq!(flags.len(), KEYS.len());
    assert_eq!(KEYS[0].variable(), "SUMUN_LISTEN");
    assert!(KEYS.iter().any(|key| key.variable() == "SUMUN_LIMITS_MAX_BODY"));
    for key in KEYS {
        assert!(!key.reason.is_empty() && !key.about.is_empty(), "{}", key.path);
    }
}

#[test]
fn what_is_wrong_in_the_file_is_said_with_its_place() {
    for (text, wanted) in [
        ("lsten: 127.0.0.1:1", "1:1: there is no setting `lsten`"),
        ("limits:\n  hedaers: 5", "2:3: there is no setting `limits.hedaers`"),
        ("limits: 5", "1:9: limits is not a mapping"),
        ("listen: [a]", "1:9: `listen` is not one value"),
        ("trusted_proxies: { a: b }", "1:18: `trusted_proxies` is not a list of values"),
        ("listen: 127.0.0.1:1\nlisten: 127.0.0.1:2", "2:1: `listen` is written twice"),
        ("listen: 8080", "1:9: `8080` is not an address"),
        ("admin: { listen: 0.0.0.0:9900 }", "1:18: admin.listen must be a loopback address"),
        ("limits: { headers: 5 }", "1:20: `5` is out of range"),
        ("limits: { idle: 60 }", "1:17: `60` is not a duration"),
        ("limits: { idle: 2h }", "1:17: `2h` is out of range"),
        ("limits: { max_body: 1GB }", "1:21: `1GB` is not a size"),
        ("workers: 0", "1:10: `0` is out of range"),
        ("workers: many", "1:10: `many` is not a whole number"),
        ("trusted_proxies: [10.0.0.0/33]", "1:18: `10.0.0.0/33` has a prefix longer"),
        ("cache: { store: disk }", "1:17: `disk` is not a store"),
        ("redis: { url: 127.0.0.1 }", "1:15: this is not a URL"),
        ("redis: { prefix: 'a b' }", "1:18: this can't begin a key"),
        ("redis: { timeout: 1m }", "1:19: `1m` is out of range"),
        ("redis: { ca: /ca.pem }", "1:14: `redis.ca` stands without TLS"),
        ("access_log: { format: xml }", "1:23: `xml` is not a log format"),
        ("tls: { cert: /c }", "1:14: `tls.cert` stands without `tls.key`"),
        ("tls: { key: /c }", "1:13: `tls.key` stands without `tls.cert`"),
        ("tls: { client_ca: /c }", "1:19: `tls.client_ca` stands without"),
        ("to: ftp://host", "1:5: `ftp://host` is not the URL of a service"),
        ("to: http://host/path", "1:5: `http://host/path` is not the URL of a service"),
        ("to: http://u:p@host", "1:5: `http://u:p@host` is not the URL of a service"),
        ("to: http://0.0.0.0:80", "1:5: `http://0.0.0.0:80` is a link-local, multicast or"),
        ("to: http://host:0/", "1:5: `http://host:0` has a bad port"),
        ("workers\u{200b}: 2", "1:1: there is no setting `workers<U+200B>`"),
        ("admin: { listen: 127.0.0.1:8080 }", "1:18: `listen` and `admin.listen` are both"),
        ("listen: ${SUMUN_TEST_UNSET}", "1:9: the variable SUMUN_TEST_UNSET is not set"),
        ("callers: { by: [header] }", "1:16: `header` says nothing that tells a caller"),
        ("callers: { by: [{ header: a, b: c }] }", "1:16: `callers.by` is not a list of values"),
        ("callers: { by: [mtls:subject, {mtls: subject}] }", "1:16: `mtls:subject` is written twi"),
        ("callers: { by: ['header:x'] }", "1:16: `header:x` is believed of `trusted_proxies`, a"),
        ("callers: { by: ['jwt:sub'] }", "1:16: `jwt:sub` is believed of `trusted_proxies`, and"),
        ("callers: { believe: all }", "1:21: `all` is nobody who can be believed"),
        ("callers: { max: 0 }", "1:17: `0` is out of range"),
        ("callers: { may_raise: [\"a'b\"] }", "1:23: `a'b` is not a caller's name"),
        ("callers: { jwt_keys: /k }", "1:22: `callers.jwt_keys` stands without a source"),
        ("callers: { api_keys: /k }", "1:22: `callers.api_keys` stands without a source"),
        ("- a", "1:1: the file is not a mapping"),
    ] {
        let problems = Folder::with(text).problems();
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        assert!(problems[0].starts_with(wanted), "{text}: {problems:?}");
    }
}

#[test]
fn all_problems_come_at_once_each_with_line_caret_and_remedy() {
    let file = Folder::with("lstn: x\nlimits:\n  idle: 2h\nworkers: 0\n");
    let problems = file.load(&[("admin.listen", "[::]:1")], &[("SUMUN_DRAIN_LIMIT", "x")]);
    let problems = problems.unwrap_err();
    assert_eq!(problems.len(), 5, "{problems:?}");
    let idle = problems.iter().find(|p| p.message.contains("2h")).unwrap().render();
    assert!(
        idle.ends_with("\n   |\n 3 |   idle: 2h\n   |         ^\n   help: write 1s to 1h"),
        "{idle}"
    );
    let typo = problems.iter().find(|p| p.message.contains("lstn")).unwrap();
    assert_eq!(typo.help, "did you mean `listen`?");
    assert!(problems.iter().any(|p| p.to_string().starts_with("environment SUMUN_DRAIN_LIMIT: ")));
    assert!(problems.iter().any(|p| p.to_string().starts_with("flag --admin: ")));
}

#[test]
fn a_variable_may_be_named_as_its_flag() {
    let file = Folder::with("");
    let settings = |environment: &[(&str, &str)]| file.load(&[], environment).unwrap().settings;
    assert_eq!(settings(&[("SUMUN_ADMIN", "127.0.0.1:1")]).admin.listen.port(), 1);
    let both = [("SUMUN_ADMIN", "127.0.0.1:1"), ("SUMUN_ADMIN_LISTEN", "127.0.0.1:2")];
    assert_eq!(settings(&both).admin.listen.port(), 2);
    assert!(settings(&[("SUMUN_READ_ONLY", "true")]).admin.read_only);
    assert!(!settings(&[("SUMUN_READ_ONLY", "")]).admin.read_only);
}

#[test]
fn a_variable_with_a_typing_error_is_found_and_foreign_ones_are_left_alone() {
    let environment = |name: &str| Written {
        environment: BTreeMap::from([(name.to_owned(), "x".to_owned())]),
        ..Written::default()
    };
    let problems = load(&environment("SUMUN_LISTN")).unwrap_err();
    assert_eq!(problems[0].help, "did you mean SUMUN_LISTEN?");
    for foreign in ["SUMUN_SERVICE_HOST", "SUMUN_PORT_8080_TCP", "SUMUN_PORT", "SUMUN_HOME"] {
        assert!(load(&environment(foreign)).is_ok(), "{foreign}");
    }
}

#[test]
fn a_named_file_must_exist_and_an_unnamed_one_need_not() {
    let written = Written { config: Some("/nowhere/sumun.yaml".into()), ..Written::default() };
    let problems = load(&written).unwrap_err();
    assert!(problems[0].to_string().starts_with("/nowhere/sumun.yaml:1:1: cannot be read"));
    let large = Folder::with(&"# x\n".repeat(20_000));
    assert!(large.problems()[0].contains("larger than"));
}

#[test]
fn what_is_printed_reads_back_as_the_same_settings() {
    let file = Folder::with(
        "state: \"/var/it's here\"\ntrusted_proxies: [10.0.0.0/8]\nworkers: 3\n\
         tls: { cert: '/$${x}', key: /k }\nlimits: { body_rate: 0B }\nlisten: '[::1]:80'\n\
         callers: { by: [header:X-A, jwt:sub], may_raise: ['Order Service #1', 'a: b'] }\n",
    );
    let first = file.load(&[("to", "http://[::1]:8081")], &[]).unwrap();
    let again = Folder::with(&first.render()).load(&[], &[]).unwrap();
    assert_eq!(format!("{:?}", first.settings), format!("{:?}", again.settings));
    let defaults = load(&Written::default()).unwrap();
    let again = Folder::with(&defaults.render()).load(&[], &[]).unwrap();
    assert_eq!(format!("{:?}", defaults.settings), format!("{:?}", again.settings));
}

#[test]
fn a_value_from_a_file_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "canary\n").unwrap();
    let text = format!("state: ${{file:{}}}\n", secret.display());
    let effective = Folder::with(&text).load(&[], &[]).unwrap();
    assert_eq!(effective.settings.state, PathBuf::from("canary"));
    assert!(!effective.render().contains("canary"));
    assert!(effective.render().contains("state: '***'"));

    let text = format!("workers: ${{file:{}}}\n", secret.display());
    let problems = Folder::with(&text).load(&[], &[]).unwrap_err();
    assert!(!problems[0].render().contains("canary"), "{}", problems[0].render());
}

#[test]
fn a_network_contains_its_addresses() {
    for (network, address, inside) in [
        ("10.0.0.0/8", "10.255.0.1", true),
        ("10.0.0.0/8", "11.0.0.1", false),
        ("10.0.0.0/8", "::ffff:10.0.0.1", true),
        ("0.0.0.0/0", "1.2.3.4", true),
        ("0.0.0.0/0", "::1", false),
        ("192.168.1.1", "192.168.1.1", true),
        ("192.168.1.1", "192.168.1.2", false),
        ("fd00::/8", "fdff::1", true),
        ("fd00::/8", "fe00::1", false),
        ("::/0", "::1", true),
    ] {
        let file = Folder::with(&format!("trusted_proxies: ['{network}']"));
        let networks = file.load(&[], &[]).unwrap().settings.trusted_proxies;
        assert_eq!(networks[0].contains(address.parse().unwrap()), inside, "{network} {address}");
    }
}

#[test]
fn the_cache_is_in_redis_where_one_is_named_unless_it_is_said_otherwise() {
    let store = |text: &str, flags: &[(&'static str, &str)]| {
        Folder::with(text).load(flags, &[]).unwrap().settings.cache.store
    };
    let url = [("redis.url", "redis://cache")];
    assert_eq!(store("", &[]), CacheStore::Memory);
    assert_eq!(store("", &url), CacheStore::Redis);
    assert_eq!(store("cache: { store: redis }", &[]), CacheStore::Redis);
    assert_eq!(store("cache: { store: memory }", &url), CacheStore::Memory);
}

#[test]
fn a_password_is_neither_printed_nor_in_a_problem() {
    let file = Folder::with("redis: { url: 'redis://me:canary@host', password: canary }\n");
    let printed = file.load(&[], &[]).unwrap().render();
    assert!(!printed.contains("canary"), "{printed}");
    assert!(printed.contains("redis://me:***@host:6379"), "{printed}");

    let file = Folder::with("redis: { url: 'redis://me:canary@ho st', password: canary }\n");
    let problems = file.load(&[], &[]).unwrap_err();
    let printed: Vec<_> = problems.iter().map(SettingsProblem::render).collect();
    assert!(!printed.concat().contains("canary"), "{printed:?}");
}

#[test]
fn the_line_of_a_user_is_never_quoted() {
    let folder = Folder::with("admin:\n  users:\n    - jane:editor:my password\n");
    let problems = folder.load(&[], &[]).unwrap_err();
    let shown: String = problems.iter().map(SettingsProblem::render).collect();
    assert!(shown.contains(":3:5: the password of `jane`"), "{shown}");
    assert!(!shown.contains("my password"), "{shown}");
}

#[test]
fn the_line_of_a_redis_password_is_never_quoted() {
    for wrong in
        ["redis:\n  url: redis://:hidden@host:port:0\n", "redis:\n  url: ftp://:hidden@host\n"]
    {
        let problems = Folder::with(wrong).load(&[], &[]).unwrap_err();
        let shown: String = problems.iter().map(SettingsProblem::render).collect();
        assert!(shown.contains(":2:8: "), "{shown}");
        assert!(!shown.contains("hidden"), "{shown}");
    }
}

#[test]
fn the_settings_file_may_be_named_by_a_variable() {
    let file = Folder::with("workers: 3\n");
    let with = |name: &str| {
        let variable = (CONFIG_VARIABLE.to_owned(), name.to_owned());
        Written { environment: BTreeMap::from([variable]), ..Written::default() }
    };
    let path = file.path().display().to_string();
    assert_eq!(load(&with(&path)).unwrap().settings.workers, 3);
    assert!(load(&with("")).is_ok(), "an empty variable counts as not set");
    let problems = load(&with("/nowhere.yaml")).unwrap_err();
    assert!(problems[0].to_string().starts_with("/nowhere.yaml:1:1: cannot be read"));
    let flag = Written { config: Some(file.path()), ..with("/nowhere.yaml") };
    assert_eq!(load(&flag).unwrap().settings.workers, 3);
}

#[test]
fn a_secret_beside_a_mistake_is_never_quoted() {
    for (text, wanted) in [
        ("redis:\n  pasword: canary\n", ":2:3: there is no setting `redis.pasword`"),
        ("admin:\n  user:\n    - jane:editor:canary\n", ":2:3: there is no setting `admin.user`"),
        ("admin: jane:editor:canary\n", ":1:8: admin is not a mapping"),
        ("admin: { read_only: 5, users: ['jane:editor:canary'] }\n", ":1:21: `5` is neither true"),
        ("admin:\n  users:\n    - \"jane:editor:canary\n", "this is not YAML: unclosed quote"),
    ] {
        let problems = Folder::with(text).load(&[], &[]).unwrap_err();
        let shown: String = problems.iter().map(SettingsProblem::render).collect();
        assert!(shown.contains(wanted) && !shown.contains("canary"), "{shown}");
    }
    let beside = "admin:\n  users: []\n  read_only: maybe\n";
    let shown = Folder::with(beside).load(&[], &[]).unwrap_err()[0].render();
    assert!(shown.contains("| \u{20} read_only: maybe"), "{shown}");
}

#[test]
fn what_is_no_yaml_says_where_and_what_to_do() {
    for (text, wanted) in [
        (
            "drain:\n\tlimit: 1s\n",
            "2:1: this is not YAML: a tab indents the line | indent with spaces",
        ),
        (
            "drain:\n  limit: 1s\n \tannounce: 1s\n",
            "3:2: this is not YAML: a tab indents the line | i",
        ),
        ("listen: 'x\n", "1:9: this is not YAML: unclosed quote | close the quote"),
        ("workers: 2\n---\nworkers: 3\n", "2:1: a second document begins here"),
        ("limits: &l { idle: 5s }\ndrain: *l\n", "2:8: aliases are not followed in this file | wr"),
        ("listen: &l 127.0.0.1:1\nstate: *l\n", "2:8: aliases are not followed in this file | wr"),
        ("workers: *w\n", "1:10: this is not YAML: while parsing node, found unknown anchor"),
    ] {
        let prefix = |file: &Folder| format!("{}:", file.path().display());
        let file = Folder::with(text);
        let problems = file.load(&[], &[]).unwrap_err();
        let shown = format!("{} | {}", problems[0], problems[0].help).replace(&prefix(&file), "");
        assert!(shown.starts_with(wanted), "{text}: {shown}");
    }
}
