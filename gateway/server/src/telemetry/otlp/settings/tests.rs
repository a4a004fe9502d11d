use super::*;

fn read(variables: &[(&str, &str)]) -> Result<OtelSettings, OtelSettingsError> {
    let variables: HashMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    OtelSettings::read(&|name| variables.get(name).cloned())
}

#[test]
fn nothing_is_exported_where_no_endpoint_is_named() {
    let settings = read(&[("OTEL_TRACES_SAMPLER", "always_on")]).unwrap();
    assert_eq!(settings.traces, None);
    assert_eq!(settings.metrics, None);
    assert_eq!(settings.sampler, Sampler::pass_on(), "no span is begun that nobody gets");
}

#[test]
fn the_url_for_all_signals_gets_each_signals_path() {
    let settings = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318/")]).unwrap();
    let traces = settings.traces.unwrap();
    assert_eq!(traces.endpoint, "http://127.0.0.1:4318/v1/traces");
    assert_eq!(traces.protocol, Protocol::HttpProtobuf);
    assert_eq!(traces.timeout, Duration::from_secs(10));
    assert_eq!(settings.metrics.unwrap().endpoint, "http://127.0.0.1:4318/v1/metrics");
}

#[test]
fn a_signals_own_variables_beat_those_for_all() {
    let settings = read(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9/own"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "250"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x, team = mail"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "500"),
    ])
    .unwrap();
    let traces = settings.traces.unwrap();
    assert_eq!(traces.endpoint, "http://127.0.0.1:9/own");
    assert_eq!(traces.protocol, Protocol::HttpJson);
    assert_eq!(traces.timeout, Duration::from_millis(250));
    assert_eq!(traces.headers["authorization"], "Bearer x");
    assert_eq!(traces.headers["team"], "mail");
    assert!(!format!("{traces:?}").contains("Bearer"), "headers may be secrets");
    let metrics = settings.metrics.unwrap();
    assert_eq!(metrics.endpoint, "http://127.0.0.1:4318", "gRPC has no path");
    assert_eq!(settings.metrics_every, Duration::from_millis(500));
}

#[test]
fn each_signal_can_be_switched_off() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
    let settings = read(&[endpoint, ("OTEL_TRACES_EXPORTER", "none")]).unwrap();
    assert!(settings.traces.is_none() && settings.metrics.is_some());
    let settings = read(&[endpoint, ("OTEL_METRICS_EXPORTER", "none")]).unwrap();
    assert!(settings.traces.is_some() && settings.metrics.is_none());
    let settings = read(&[endpoint, ("OTEL_SDK_DISABLED", "TRUE")]).unwrap();
    assert!(settings.traces.is_none() && settings.metrics.is_none());
}

#[test]
fn the_service_has_a_name_and_may_be_given_another() {
    let name = |variables: &[(&str, &str)]| {
        let resource = read(variables).unwrap().resource;
        let names: Vec<_> = resource.iter().filter(|(key, _)| key == "service.name").collect();
        assert_eq!(names.len(), 1);
        names[0].1.clone()
    };
    let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=edge,deployment.environment=test");
    assert_eq!(name(&[]), "sumun");
    assert_eq!(name(&[attributes]), "edge");
    assert_eq!(name(&[attributes, ("OTEL_SERVICE_NAME", "gate")]), "gate");
}

#[test]
fn nonsense_is_named_with_its_variable() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "no-equals-sign"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "127.0.0.1:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "unix:///run/otel.sock"),
    ] {
        let error = read(&[endpoint, (name, value)]).unwrap_err().to_string();
        assert!(error.contains(name), "{error} names {name}");
    }
}

#[test]
fn percent_signs_that_escape_nothing_stay() {
    assert_eq!(percent_decoded("100%"), "100%");
    assert_eq!(percent_decoded("%zz%41"), "%zzA");
}

#[test]
fn exporters_may_be_several_and_prometheus_is_there_anyway() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
    for (variable, value, traces, metrics) in [
        ("OTEL_METRICS_EXPORTER", "prometheus", true, false),
        ("OTEL_METRICS_EXPORTER", "prometheus, otlp", true, true),
        ("OTEL_METRICS_EXPORTER", "none", true, false),
        ("OTEL_TRACES_EXPORTER", "otlp,", true, true),
    ] {
        let settings = read(&[endpoint, (variable, value)]).unwrap();
        let exported = (settings.traces.is_some(), settings.metrics.is_some());
        assert_eq!(exported, (traces, metrics), "{variable}={value}");
    }
    for (variable, value) in
        [("OTEL_TRACES_EXPORTER", "prometheus"), ("OTEL_METRICS_EXPORTER", "otlp,console")]
    {
        let error = read(&[endpoint, (variable, value)]).unwrap_err();
        assert!(matches!(error, OtelSettingsError::Exporter { .. }), "{variable}={value}");
    }
}
