//! YAML text → [`Node`], from the events of the parser beneath `serde-saphyr`.
//!
//! Fails (`None`, with one problem) only where the text is no YAML or is over a bound; a key
//! written twice and the like are problems beside a tree. Aliases are copied, and the copies count
//! as nodes, so an alias bomb meets [`NODES_MAX`] before it takes memory.

use std::collections::HashMap;
use std::sync::Arc;

use serde_saphyr::granit_parser::{
    ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, options,
};

use super::node::{Entry, Findings, Node, Place, Source, Spot, Value};
use super::syntax::NotYaml;
use crate::problem::quoted;

/// Most nodes of a file with its aliases written out. A route takes about 30.
const NODES_MAX: usize = 200_000;
/// Deepest nesting; the format itself needs 7.
const DEPTH_MAX: usize = 32;
/// Most aliases (`*name`) in a file; those of a person are counted on fingers.
const ALIASES_MAX: usize = 1_000;

/// Parses a file. `None`: it has no tree, and `findings` says why.
pub(crate) fn read(source: &Arc<Source>, findings: &Findings) -> Option<Node> {
    let options = options! {
        emit_comments: false,
        flow_nesting_limit: DEPTH_MAX,
        block_nesting_limit: DEPTH_MAX,
        disallow_directives: true,
    };
    let mut tree = Tree::new(source, findings);
    for event in Parser::new_from_str_with_options(source.text(), options) {
        match event {
            Ok((event, span)) => tree.take(event, &span)?,
            Err(error) => {
                tree.report.refuse_syntax(&error);
                return None;
            }
        }
    }
    if tree.root.is_none() {
        findings.add(
            &Place::new(source, Spot::START),
            "the file is empty",
            "start it with `version: 1`, or delete it",
        );
    }
    tree.root.map(|branch| branch.node)
}

/// A node with what the bounds need to know of it.
#[derive(Clone)]
struct Branch {
    node: Node,
    /// Nodes in it, itself included.
    nodes: usize,
    /// Levels of it, 1 for a scalar.
    depth: usize,
}

/// A collection that is still open.
struct Open {
    spot: Spot,
    anchor: usize,
    nodes: usize,
    depth: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, seen: HashMap<String, Spot>, key: Key },
}

/// What a mapping waits for.
enum Key {
    /// A key.
    Awaited,
    /// The value of this key.
    Read(String, Spot),
    /// The value of a key that was refused; it is dropped.
    Refused,
}

/// Where this file's problems go.
#[derive(Clone, Copy)]
struct Report<'a> {
    source: &'a Arc<Source>,
    findings: &'a Findings,
}

struct Tree<'a> {
    report: Report<'a>,
    open: Vec<Open>,
    anchors: HashMap<usize, Branch>,
    root: Option<Branch>,
    documents: usize,
    aliases: usize,
    nodes: usize,
}

impl<'a> Tree<'a> {
    fn new(source: &'a Arc<Source>, findings: &'a Findings) -> Self {
        Self {
            report: Report { source, findings },
            open: Vec::new(),
            anchors: HashMap::new(),
            root: None,
            documents: 0,
            aliases: 0,
            nodes: 0,
        }
    }

    /// Takes one event; `None` ends the reading (a problem has been added).
    fn take(&mut self, event: Event<'_>, span: &Span) -> Option<()> {
        let spot = spot_of(span);
        if event.tag().is_some_and(|tag| !tag.is_yaml_core_schema()) {
            let help = "remove the tag; every key says itself what its value is";
            self.report.problem(spot, "tags have no meaning in a policy", help);
        }
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let help = "put the second one into a file of its own";
                    self.report.problem(spot, "a policy file is one YAML document", help);
                    return None;
                }
            }
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                let value = if plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL") {
                    Value::Null
                } else {
                    Value::Text { text: text.into_owned(), plain }
                };
                let branch = Branch { node: Node { spot, value }, nodes: 1, depth: 1 };
                self.attach(branch, anchor)?;
            }
            Event::Alias(id) => self.attach_alias(id, spot)?,
            Event::SequenceStart(_, anchor, _) => {
                self.begin(spot, anchor, Kind::List(Vec::new()))?;
            }
            Event::MappingStart(_, anchor, _) => {
                let seen = HashMap::new();
                let kind = Kind::Map { entries: Vec::new(), seen, key: Key::Awaited };
                self.begin(spot, anchor, kind)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            _ => {}
        }
        Some(())
    }

    fn begin(&mut self, spot: Spot, anchor: usize, kind: Kind) -> Option<()> {
        if self.open.len() >= DEPTH_MAX {
            self.report.refuse_depth(spot);
            return None;
        }
        self.open.push(Open { spot, anchor, nodes: 1, depth: 1, kind });
        Some(())
    }

    fn end(&mut self) -> Option<()> {
        let Open { spot, anchor, nodes, depth, kind } = self.open.pop()?;
        let value = match kind {
            Kind::List(items) => Value::List(items),
            Kind::Map { entries, .. } => Value::Map(entries),
        };
        self.attach(Branch { node: Node { spot, value }, nodes, depth }, anchor)
    }

    fn attach_alias(&mut self, id: usize, spot: Spot) -> Option<()> {
        self.aliases += 1;
        let Some(branch) = self.anchors.get(&id) else {
            let help = "write the value out here";
            self.report.problem(spot, "an alias cannot stand inside the value that it names", help);
            return None;
        };
        if self.aliases > ALIASES_MAX {
            let message = format!("the file has more than {ALIASES_MAX} aliases");
            self.report.problem(spot, message, "write the values out, or split the file");
            return None;
        }
        // Checked before the copy is made: a bomb costs nothing.
        if self.nodes + branch.nodes > NODES_MAX {
            self.report.refuse_nodes(spot);
            return None;
        }
        let branch = branch.clone();
        self.nodes += branch.nodes - 1; // attach counts the node itself
        self.attach(branch, 0)
    }

    /// Puts a whole node where it belongs.
    fn attach(&mut self, branch: Branch, anchor: usize) -> Option<()> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            self.report.refuse_nodes(branch.node.spot);
            return None;
        }
        if self.open.len() + branch.depth > DEPTH_MAX {
            self.report.refuse_depth(branch.node.spot);
            return None;
        }
        if anchor != 0 {
            // The copy counts, so a thousand nested anchors stay within the bound, too.
            self.nodes += branch.nodes;
            self.anchors.insert(anchor, branch.clone());
        }
        let report = self.report;
        let Some(top) = self.open.last_mut() else {
            self.root = Some(branch);
            return Some(());
        };
        top.nodes += branch.nodes;
        top.depth = top.depth.max(branch.depth + 1);
        match &mut top.kind {
            Kind::List(items) => items.push(branch.node),
            Kind::Map { entries, seen, key } => match std::mem::replace(key, Key::Awaited) {
                Key::Awaited => *key = report.key_of(branch.node),
                Key::Refused => {}
                Key::Read(name, at) => {
                    if let Some(&first) = seen.get(&name) {
                        report.refuse_twice(&name, at, first);
                    } else {
                        seen.insert(name.clone(), at);
                        entries.push(Entry { name, at, node: branch.node });
                    }
                }
            },
        }
        Some(())
    }
}

impl Report<'_> {
    fn problem(self, spot: Spot, message: impl Into<String>, help: impl Into<String>) {
        self.findings.add(&Place::new(self.source, spot), message, help);
    }

    fn refuse_syntax(self, error: &ScanError) {
        let NotYaml { line, column, message, help } = NotYaml::of(self.source.text(), error);
        let spot = Spot { line, column, width: 1 };
        if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
            return self.refuse_depth(spot);
        }
        self.problem(spot, message, help);
    }

    fn refuse_depth(self, spot: Spot) {
        let message = format!("this is nested more than {DEPTH_MAX} levels deep");
        self.problem(spot, message, "a policy needs seven levels; check the brackets");
    }

    fn refuse_nodes(self, spot: Spot) {
        let message = format!("the file has more than {NODES_MAX} values, aliases written out");
        self.problem(spot, message, "split the file, and use fewer aliases");
    }

    fn refuse_twice(self, name: &str, at: Spot, first: Spot) {
        let first = Place::new(self.source, first);
        let message = format!("{} is written twice; the first is at {first}", quoted(name));
        self.problem(at, message, "keep one of the two, or give one another name");
    }

    fn key_of(self, node: Node) -> Key {
        let spot = node.spot;
        match key_or_reason(node) {
            Ok((name, at)) => Key::Read(name, at),
            Err((message, help)) => {
                self.problem(spot, message, help);
                Key::Refused
            }
        }
    }
}

/// Turns a node into a key, or says why it is none.
fn key_or_reason(node: Node) -> Result<(String, Spot), (&'static str, &'static str)> {
    match node.value {
        Value::Text { text, plain: true } if text == "<<" => Err((
            "merge keys (`<<`) are not part of YAML 1.2",
            "write the keys out, or share whole values by alias",
        )),
        Value::Text { text, .. } => Ok((text, node.spot)),
        Value::Null => Err(("a key is missing before the colon", "write the key")),
        Value::List(_) | Value::Map(_) => {
            Err(("a key is a name, not a list or mapping", "write a name; quote `{`, `[` and `*`"))
        }
    }
}

fn spot_of(span: &Span) -> Spot {
    let width = if span.end.line() == span.start.line() {
        int(span.end.col().saturating_sub(span.start.col()))
    } else {
        u32::MAX // to the end of its first line
    };
    Spot { line: int(span.start.line()).max(1), column: int(span.start.col()) + 1, width }
}

fn int(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX - 1)
}
