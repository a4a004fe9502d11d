//! `sumun check --live`: reads the signals of each upstream as the gateway would, and says what is
//! wrong with them at the line that asks for them.

use std::fmt::Write as _;

use anyhow::Context as _;
use serde::Serialize;
use sumun_policy::{Policy, Problem, problem_at};

use super::plural;
use crate::reload::Files;
use crate::sense::finding::{Finding, Severity};
use crate::sense::visit::visit;
use crate::upstream::tls_connector;

/// What the upstreams' signals are like now.
#[derive(Debug, Serialize)]
pub(super) struct Live {
    /// Endpoints that were read.
    endpoints: usize,
    findings: Vec<Placed>,
}

/// A finding and the line that asks for the signal.
#[derive(Debug, Serialize)]
struct Placed {
    upstream: String,
    file: String,
    line: u32,
    column: u32,
    #[serde(flatten)]
    finding: Finding,
    /// For people.
    #[serde(skip)]
    problem: Problem,
}

/// Reads the signals of every upstream of `policy`, which was read from `files`.
pub(super) fn look(policy: &Policy, files: &Files) -> anyhow::Result<Live> {
    let connector = tls_connector().context("can't load the system's certificate authorities")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("can't start a runtime")?;
    let visited = runtime.block_on(visit(policy, &connector));
    let findings = visited.findings.into_iter();
    let findings = findings.map(|(upstream, finding)| place(upstream, finding, files)).collect();
    Ok(Live { endpoints: visited.endpoints, findings })
}

fn place(upstream: String, finding: Finding, files: &Files) -> Placed {
    let Finding { id, endpoint, seen, meanwhile, remedy, .. } = &finding;
    let message = format!("{endpoint}: {seen} [{id}]");
    let help = format!("{remedy}\n   meanwhile: {meanwhile}");
    let path = ["upstreams", upstream.as_str(), "signals"];
    let problem = problem_at(files, &path, message.as_str(), help.as_str())
        // A policy that was made of these files has the key in one of them; if not, say it anyway.
        .unwrap_or_else(|| Problem::whole_file("*.yaml", message, help));
    let Problem { file, line, column, .. } = &problem;
    Placed { upstream, file: file.clone(), line: *line, column: *column, finding, problem }
}

// === impl Live ===

impl Live {
    /// Whether nothing is wrong; what is merely worth knowing is not wrong.
    pub(super) fn is_fine(&self) -> bool {
        self.wrong() == 0
    }

    fn wrong(&self) -> usize {
        let is_wrong = |placed: &&Placed| placed.finding.severity > Severity::Info;
        self.findings.iter().filter(is_wrong).count()
    }

    /// For people.
    pub(super) fn write(&self, out: &mut String) {
        for placed in &self.findings {
            let _ = writeln!(out, "\n{}", placed.problem.render());
        }
        let (read, wrong) = (self.endpoints, self.wrong());
        let _ = match wrong {
            0 => writeln!(out, "fine: signals of {read} endpoint{} read", plural(read)),
            n => writeln!(out, "\n{n} finding{} about signals of {read} endpoints", plural(n)),
        };
    }
}
