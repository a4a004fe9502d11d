use super::*;

/// As Spring Boot 3 with Micrometer writes it (Tomcat, `server.tomcat.mbeanregistry.enabled=true`).
const SPRING: &str = r#"# HELP jvm_memory_used_bytes The amount of used memory
# TYPE jvm_memory_used_bytes gauge
jvm_memory_used_bytes{application="mailbox",area="heap",id="G1 Eden Space",} 2.097152E7
jvm_memory_used_bytes{application="mailbox",area="nonheap",id="CodeHeap 'profiled nmethods'",} 8806144.0
# HELP system_cpu_usage The "recent cpu usage" of the system the application is running in
# TYPE system_cpu_usage gauge
system_cpu_usage{application="mailbox",} 0.21739130434782608
# HELP process_cpu_usage The "recent cpu usage" for the Java Virtual Machine process
# TYPE process_cpu_usage gauge
process_cpu_usage{application="mailbox",} 0.043478260869565216
# HELP tomcat_threads_busy_threads  
# TYPE tomcat_threads_busy_threads gauge
tomcat_threads_busy_threads{application="mailbox",name="http-nio-8080",} 17.0
# HELP tomcat_threads_config_max_threads  
# TYPE tomcat_threads_config_max_threads gauge
tomcat_threads_config_max_threads{application="mailbox",name="http-nio-8080",} 200.0
# HELP http_server_requests_seconds  
# TYPE http_server_requests_seconds summary
http_server_requests_seconds_count{error="none",exception="none",method="GET",outcome="SUCCESS",status="200",uri="/mail/{id}",} 412.0
http_server_requests_seconds_sum{error="none",exception="none",method="GET",outcome="SUCCESS",status="200",uri="/mail/{id}",} 1.83
"#;

fn wanted() -> Wanted {
    Wanted {
        busy: Some("tomcat_threads_busy_threads".into()),
        max: Some("tomcat_threads_config_max_threads".into()),
        cpu: Some("system_cpu_usage".into()),
    }
}

fn short() -> Wanted {
    Wanted { busy: Some("busy".into()), max: Some("max".into()), cpu: Some("cpu".into()) }
}

fn told_as(format: Format, text: &str, wanted: &Wanted) -> Result<Told, TextError> {
    let mut reader = Reader::new(wanted);
    reader.feed(text.as_bytes())?;
    reader.finish(format)
}

fn read_as(format: Format, text: &str, wanted: &Wanted) -> Result<Reading, TextError> {
    told_as(format, text, wanted).map(|told| told.reading)
}

fn read(text: &str) -> Result<Reading, TextError> {
    read_as(Format::Prometheus, text, &short())
}

fn of(busy: Option<f64>, max: Option<f64>, cpu: Option<f64>) -> Reading {
    Reading { busy, max, cpu, own_in_flight: None }
}

#[test]
fn spring_boot_is_read() {
    let reading = read_as(Format::Prometheus, SPRING, &wanted()).unwrap();
    assert_eq!(reading, of(Some(17.0), Some(200.0), Some(0.217_391_304_347_826_08)));
}

#[test]
fn chunks_may_end_anywhere() {
    let whole = read_as(Format::Prometheus, SPRING, &wanted()).unwrap();
    let wanted = wanted();
    for size in [1, 2, 3, 7, 64, 1000] {
        let mut reader = Reader::new(&wanted);
        for chunk in SPRING.as_bytes().chunks(size) {
            reader.feed(chunk).unwrap();
        }
        let told = reader.finish(Format::Prometheus).unwrap();
        assert_eq!(told.reading, whole, "chunks of {size}");
    }
}

#[test]
fn workers_of_several_connectors_are_summed_and_the_highest_cpu_counts() {
    let reading = read(
        "busy{name=\"a\"} 3\nbusy{name=\"b\"} 4\nmax{name=\"a\"} 10\nmax{name=\"b\"} 20\ncpu{cpu=\"0\"} 0.2\ncpu{cpu=\"1\"} 0.7\ncpu{cpu=\"2\"} 0.5\n",
    );
    assert_eq!(reading, Ok(of(Some(7.0), Some(30.0), Some(0.7))));
}

#[test]
fn what_a_value_may_look_like() {
    for (line, expected) in [
        ("busy 1", Some(1.0)),
        ("busy\t1", Some(1.0)),
        ("  busy   1  ", Some(1.0)),
        ("busy 1.5E1", Some(15.0)),
        ("busy{} 2", Some(2.0)),
        ("busy {a=\"b\"} 2", Some(2.0)),
        ("busy 3 1700000000000", Some(3.0)),
        ("busy 4 # {trace_id=\"abc\"} 1.0 1.7e9", Some(4.0)),
        ("busy{a=\"}\",b=\"\\\"}\",c=\"\\\\\"} 5", Some(5.0)),
        ("busy 6\r", Some(6.0)),
        ("busy -1", None),
        ("busy NaN", None),
        ("busy +Inf", None),
        ("busy -Inf", None),
    ] {
        let reading = read(&format!("{line}\nmax 9\n")).unwrap();
        assert_eq!(reading, of(expected, Some(9.0), None), "{line}");
    }
}

#[test]
fn an_unknown_worker_count_makes_its_sum_unknown() {
    // Virtual threads: one connector says -1.
    let reading = read("busy{name=\"a\"} -1\nbusy{name=\"b\"} 4\nmax 10\ncpu -1\ncpu 0.5\n");
    assert_eq!(reading, Ok(of(None, Some(10.0), Some(0.5))));
}

#[test]
fn a_name_that_only_begins_alike_is_another_series() {
    let reading = read("busy_total 1\nbusyness{a=\"b\"} 2\nmax 10\n");
    assert_eq!(reading, Ok(of(None, Some(10.0), None)));
}

#[test]
fn comments_are_no_samples() {
    let reading = read("# busy 7\n# HELP busy 8\n#busy 9\n\nmax 10\n");
    assert_eq!(reading, Ok(of(None, Some(10.0), None)));
}

#[test]
fn a_text_that_is_cut_off_counts_for_nothing() {
    assert_eq!(read("busy 1\nmax 20"), Err(TextError::Partial), "was it 20 or 200?");
    assert_eq!(read("busy 1\nma"), Err(TextError::Partial));
    let open = |text| read_as(Format::OpenMetrics, text, &short());
    assert_eq!(open("busy 1\nmax 200\n"), Err(TextError::Partial));
    assert_eq!(open("busy 1\nmax 200\n# EOF\n"), Ok(of(Some(1.0), Some(200.0), None)));
    assert_eq!(open("busy 1\nmax 200\n# EOF"), Ok(of(Some(1.0), Some(200.0), None)));
    assert_eq!(open("busy 1\n# EOF\nmax 200\n"), Err(TextError::Malformed));
}

#[test]
fn a_malformed_line_of_a_wanted_series_is_an_error_and_of_others_is_not() {
    for line in ["busy", "busy x", "busy{a=\"b\" 1", "busy{a=\"b} 1", "busy{}"] {
        assert_eq!(read(&format!("{line}\n")), Err(TextError::Malformed), "{line}");
    }
    assert!(read("other{a=\"b 1\n%%%\n\u{1}\nbusy 1\n").is_ok());
}

#[test]
fn what_is_missing_unknown_or_no_gauge_is_told_apart() {
    let told = |text: &str| told_as(Format::Prometheus, text, &short()).unwrap();
    let nothing = told("other 1\n");
    assert_eq!(
        (nothing.busy, nothing.max, nothing.cpu),
        (Seen::Missing, Seen::Missing, Seen::Missing)
    );
    assert_eq!((nothing.reading, nothing.is_whole()), (Reading::default(), false));

    let said = told("busy -1\n# TYPE max counter\nmax 20\ncpu 0.25\n");
    assert_eq!(
        (said.busy, said.max, said.cpu),
        (Seen::Unknown(-1.0), Seen::Counter, Seen::Value(0.25))
    );
    assert_eq!(said.reading, of(None, None, Some(0.25)));
    let nan = told("busy NaN\n# TYPE max gauge\nmax 20\n");
    assert!(matches!(nan.busy, Seen::Unknown(value) if value.is_nan()));
    assert_eq!(nan.max, Seen::Value(20.0));
    assert!(told("busy 1\nmax 2\ncpu 0\n").is_whole());
}

#[test]
fn cpu_seconds_since_the_start_are_no_share() {
    // Half a second after its start it would look like 50 %, and after a reset again.
    let wanted = Wanted { cpu: Some("process_cpu_seconds_total".into()), ..Wanted::default() };
    for seconds in ["0.5", "1.9", "0.1"] {
        let text = format!("process_cpu_seconds_total {seconds}\n");
        let told = told_as(Format::Prometheus, &text, &wanted).unwrap();
        assert_eq!((told.cpu, told.reading.cpu), (Seen::Counter, None), "{seconds}");
    }
}

#[test]
fn the_process_is_read_beside_the_machine() {
    let told = told_as(Format::Prometheus, SPRING, &wanted()).unwrap();
    assert_eq!(told.process_cpu, Some(0.043_478_260_869_565_216));
    assert_eq!(told.found, None, "nobody asked for a survey");
    let own = Wanted { cpu: Some("process_cpu_usage".into()), ..Wanted::default() };
    let told = told_as(Format::Prometheus, SPRING, &own).unwrap();
    assert_eq!((told.process_cpu, told.reading.cpu), (None, Some(0.043_478_260_869_565_216)));
}

#[test]
fn an_endless_line_is_neither_kept_nor_believed() {
    let wanted = short();
    let mut reader = Reader::new(&wanted);
    for _ in 0..1000 {
        reader.feed(&[b'x'; 4096]).unwrap();
        assert!(reader.rest.len() <= LINE_BYTES_MAX + 4096);
    }
    reader.feed(b"\nbusy 1\n").unwrap();
    let told = reader.finish(Format::Prometheus).unwrap();
    assert_eq!(told.reading, of(Some(1.0), None, None));

    let mut reader = Reader::new(&wanted);
    let line = format!("busy{{a=\"{}", "x".repeat(LINE_BYTES_MAX));
    assert_eq!(reader.feed(line.as_bytes()), Err(TextError::Malformed));
}

#[test]
fn the_cut_end_of_an_endless_line_is_not_the_end() {
    let wanted = short();
    let mut reader = Reader::new(&wanted);
    reader.feed(b"busy 1\n").unwrap();
    reader.feed(&vec![b'x'; LINE_BYTES_MAX + 1]).unwrap();
    assert_eq!(reader.finish(Format::Prometheus), Err(TextError::Partial));
}
