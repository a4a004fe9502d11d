use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method};
use proptest::prelude::*;
use sumun_engine::{Live, Moment, QuotaFull, Reason, Shed, Snapshot};

use super::super::{Code, Refusal};
use crate::body::Body;
use crate::clock::Clock;
use crate::path::Caller;
use crate::plan::{CorePlan, Plan, RoutePlan};
use crate::settings::{AccessLogFormat, AccessLogSettings};
use crate::telemetry::otlp::settings::OtelSettings;
use crate::telemetry::record::Trace;
use crate::telemetry::{Telemetry, TelemetrySettings};
use crate::upstream::{Pools, tls_connector};

const POLICY: &str = "version: 1
upstreams: { mailbox: { endpoints: [http://127.0.0.1:1] } }
routes: { mail: { match: { path: /** }, upstream: mailbox } }
";

fn plan() -> Rc<RoutePlan> {
    let (policy, problems) = sumun_policy::check(&[("mail.yaml".to_owned(), POLICY.to_owned())]);
    assert!(problems.is_empty(), "{problems:?}");
    let live = Live::new();
    let snapshot = Snapshot::compile(policy.unwrap(), 1, &live, Moment::from_nanos(1));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let settings = TelemetrySettings {
        access_log: AccessLogSettings { format: AccessLogFormat::Off, to: None },
        cores: 1,
        scheme: "http",
        otel: OtelSettings::off(),
        clock: Clock::start(),
    };
    let telemetry =
        Telemetry::build(settings, &tls_connector().unwrap(), runtime.handle()).unwrap();
    let meters = snapshot.routes().iter().map(|route| telemetry.route(&route.policy)).collect();
    let plan = Plan { snapshot: Arc::new(snapshot), meters, recorded: Vec::new() };
    let plan = CorePlan::new(Arc::new(plan), &Pools::default());
    plan.find(&Method::GET, "a", "/", &HeaderMap::new()).cloned().unwrap()
}

fn refusals() -> impl Strategy<Value = Refusal> {
    let reason = prop::sample::select(&[Reason::Rps, Reason::Cpu, Reason::Workers]);
    let shed = (reason, 0.0..2.0, 0..3_u32, 0..3_000_u64).prop_map(|(reason, seen, limit, ms)| {
        let code = match reason {
            Reason::Rps => Code::RpsOver,
            Reason::Cpu => Code::CpuOver,
            Reason::Workers => Code::WorkersOver,
        };
        let retry_after = Duration::from_millis(ms);
        let (observed, threshold) = (seen, f64::from(limit));
        Refusal::shed(code, Shed { reason, observed, threshold, retry_after, limit })
    });
    let quota = (0..3_u32, 0..3_u32)
        .prop_map(|(in_use, limit)| Refusal::quota(QuotaFull { in_use, limit }));
    prop_oneof![4 => shed, 1 => quota]
}

proptest! {
    #[test]
    fn a_refusal_is_the_same_whatever_was_refused_before(
        refusals in prop::collection::vec((refusals(), any::<u128>()), 1..20),
    ) {
        let route = plan();
        let caller = Caller { grpc: false, h2: false };
        for (refusal, trace_id) in refusals {
            let trace = Trace { trace_id, span_id: 1, parent_id: None, sampled: false };
            let row = refusal.code.row();
            let response = refusal.response(caller, Some(&route), &trace);
            prop_assert_eq!(response.headers(), &refusal.fields(&row, refusal.over().as_ref()));
            let Body::Full(problem) = response.body() else { panic!("a problem is one piece") };
            prop_assert_eq!(problem, &refusal.problem(&row, Some(&route), &trace));
            let problem: serde_json::Value = serde_json::from_slice(problem).unwrap();
            prop_assert_eq!(&problem["policy"], "mail.yaml#mail");
        }
    }
}

/// A response as HTTP/1.1 has it, with this date.
fn as_text(response: http::Response<Body>, date: &str) -> String {
    let mut text = format!("HTTP/1.1 {}\r\n", response.status());
    for (name, value) in response.headers() {
        writeln!(text, "{name}: {}\r", value.to_str().unwrap()).unwrap();
    }
    let Body::Full(body) = response.into_body() else { panic!("a problem") };
    let body = std::str::from_utf8(&body).unwrap();
    text + &format!("content-length: {}\r\ndate: {date}\r\n\r\n{body}", body.len())
}

proptest! {
    #[test]
    fn what_is_written_as_it_is_says_the_same(
        refused in prop::collection::vec((refusals(), any::<Option<u64>>(), 1_u128..), 1..20),
    ) {
        let (plan, other, date) = (plan(), plan(), "Sun, 06 Nov 1994 08:49:37 GMT");
        let caller = Caller { grpc: false, h2: false };
        for (refusal, whose, trace_id) in refused {
            let refusal = Refusal { partition: whose, ..refusal };
            let trace = Trace { trace_id, span_id: 1, parent_id: None, sampled: false };
            let mut text = Vec::new();
            let length = refusal.write(caller, Some(&plan), &trace, date.as_bytes(), &mut text);
            let text = String::from_utf8(text).unwrap();
            let expected = as_text(refusal.response(caller, Some(&other), &trace), date);
            prop_assert_eq!(&text, &expected);
            prop_assert_eq!(length, text.split_once("\r\n\r\n").map(|(_, body)| body.len()));
        }
    }
}
