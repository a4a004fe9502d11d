use super::*;

fn found(wanted: &Wanted, names: &[&str]) -> Found {
    let mut survey = Survey::new(wanted);
    for name in names {
        survey.note(name.as_bytes());
    }
    survey.finish()
}

fn tomcat() -> Wanted {
    Wanted {
        busy: Some("tomcat_threads_busy_threads".into()),
        max: Some("tomcat_threads_config_max_threads".into()),
        cpu: None,
    }
}

#[test]
fn what_is_misspelt_and_what_has_another_name_is_offered() {
    let wanted = Wanted { busy: Some("worker_bussy".into()), ..Wanted::default() };
    let names = ["go_threads", "worker_busy", "process_open_fds", "worker_max"];
    let alike = found(&wanted, &names).alike;
    assert_eq!(alike[0].0, "worker_bussy");
    assert_eq!(alike[0].1[0], "worker_busy", "the best first");
    assert!(!alike[0].1.contains(&"process_open_fds".to_owned()), "{alike:?}");

    let names = ["jetty_threads_busy", "jetty_threads_config_max", "jvm_memory_used_bytes"];
    let alike = found(&tomcat(), &names).alike;
    assert_eq!(alike[0].1[0], "jetty_threads_busy");
    assert_eq!(alike[1].1[0], "jetty_threads_config_max");
}

#[test]
fn what_is_there_is_not_missing() {
    let names = ["tomcat_threads_busy_threads", "tomcat_threads_current_threads"];
    let alike = found(&tomcat(), &names).alike;
    assert_eq!(alike.len(), 1);
    assert_eq!(alike[0].0, "tomcat_threads_config_max_threads");
}

#[test]
fn the_server_is_known_by_its_series() {
    let of = |names: &[&str]| found(&tomcat(), names).server;
    let jvm = "jvm_threads_live_threads";
    assert_eq!(of(&["up"]), Server::Unknown);
    assert_eq!(of(&[jvm, "executor_active_threads"]), Server::Jvm);
    assert_eq!(of(&["jetty_threads_busy", jvm]), Server::Jetty);
    assert_eq!(of(&["tomcat_sessions_active_max_sessions", jvm]), Server::Tomcat);
    let threads = "tomcat_threads_busy_threads";
    assert_eq!(of(&[threads, "tomcat_sessions_active_max_sessions"]), Server::TomcatThreads);
}

#[test]
fn the_numbers_kept_are_bounded() {
    let wanted = Wanted { busy: Some("worker_busy".into()), ..Wanted::default() };
    let mut survey = Survey::new(&wanted);
    for n in 0..2 * NAMES_MAX {
        survey.note(format!("worker_busy_{n}").as_bytes());
    }
    survey.note(&[b'x'; 10_000]);
    survey.note(b"\xff\xfe");
    assert_eq!(survey.names, NAMES_MAX);
    assert_eq!(survey.finish().alike[0].1.len(), ALIKE_MAX);
}
