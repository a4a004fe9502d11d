//! Flags, environment and file → the effective settings, each value with where it came from.
//!
//! Runs once, at the start. A flag beats the environment, the environment beats the file, the file
//! beats the default; what is beaten is still checked, because it will be used the day the flag is
//! dropped. An empty variable counts as not set.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use sumun_policy::problem::quoted;

use super::keys::{Draft, KEYS, Key, PRIVATE};
use super::private::PrivateLines;
use super::problem::{Provenance, SettingsProblem};
use super::substitute::resolve;
use super::written::{self, Node, Value};
use super::{Believe, CacheStore, CallerSource, Settings, TlsSettings};

/// Largest `sumun.yaml`, bytes. With every key and a comment for each it is 4 KiB.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The settings file that is read where none is named, if it is there.
pub const FILE_DEFAULT: &str = "sumun.yaml";

/// The variable that names a settings file where no flag does.
pub const CONFIG_VARIABLE: &str = "SUMUN_CONFIG";

/// What was written outside the settings file.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// `--config`: must exist. `None`: what [`CONFIG_VARIABLE`] names, which must exist too, else
    /// [`FILE_DEFAULT`], if it exists.
    pub config: Option<PathBuf>,
    /// Values of flags, by key (`limits.max_body`).
    pub flags: BTreeMap<&'static str, String>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
}

/// The effective settings and how they came about.
#[derive(Clone, Debug)]
pub struct Effective {
    /// The settings.
    pub settings: Settings,
    /// Where each value came from, in the order of the keys.
    pub(super) origins: Vec<Origin>,
}

/// Where one value came from.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub path: &'static str,
    pub provenance: Provenance,
    /// Whether the value must not be shown.
    pub secret: bool,
}

/// One value as written.
struct Entry {
    key: &'static Key,
    text: String,
    place: Provenance,
    secret: bool,
}

/// Reads and checks everything; on any problem all problems.
pub fn load(written: &Written) -> Result<Effective, Vec<SettingsProblem>> {
    let mut problems = Vec::new();
    let (file, text) = match file(written.config().as_deref()) {
        Ok(found) => found.unwrap_or_default(),
        Err(problem) => return Err(vec![problem]),
    };
    let mut found = Vec::new();
    let private = match written::read(&text) {
        Ok(Some(root)) => {
            walk(&root, "", &file, &mut found, &mut problems);
            PrivateLines::of(&root, &text)
        }
        Ok(None) => PrivateLines::guessed(""),
        Err(e) => {
            let place = Provenance::file(&file, e.place);
            problems.push(SettingsProblem::new(place, e.message, e.help));
            PrivateLines::guessed(&text)
        }
    };
    environment(&written.environment, &mut found, &mut problems);
    for key in KEYS {
        if let Some(text) = written.flags.get(key.path) {
            found.push((key, text.clone(), Provenance::Flag(format!("--{}", key.flag))));
        }
    }

    let mut draft = Draft::default();
    let mut origins: Vec<Origin> = Vec::new();
    for (key, text, place) in found {
        let entry = match resolve(&text, &written.environment) {
            Ok(resolved) => Entry { key, text: resolved.text, place, secret: resolved.secret },
            Err(e) => {
                problems.push(SettingsProblem::new(place, e.message, e.help));
                continue;
            }
        };
        if let Err(problem) = take(&mut draft, &entry) {
            problems.push(problem);
        }
        origins.retain(|origin| origin.path != key.path);
        origins.push(Origin { path: key.path, provenance: entry.place, secret: entry.secret });
    }
    together(&mut draft, &origins, &mut problems);
    if problems.is_empty() {
        return Ok(Effective { settings: draft.settings, origins });
    }
    Err(problems.into_iter().map(|problem| problem.with_line_of(&text, &private)).collect())
}

impl Written {
    /// The settings file that was named.
    fn config(&self) -> Option<PathBuf> {
        let variable = || self.environment.get(CONFIG_VARIABLE).filter(|name| !name.is_empty());
        self.config.clone().or_else(|| variable().map(PathBuf::from))
    }
}

/// The settings file's name and text.
fn file(config: Option<&Path>) -> Result<Option<(String, String)>, SettingsProblem> {
    let path = config.unwrap_or(Path::new(FILE_DEFAULT));
    let name = path.display().to_string();
    let place = Provenance::File { file: name.clone(), line: 1, column: 1 };
    let fail = |message: String| {
        let help = "name a readable UTF-8 file of at most 64KiB with --config";
        SettingsProblem::new(place.clone(), message, help)
    };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(e) if config.is_none() && e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fail(format!("cannot be read: {e}"))),
    };
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|e| fail(format!("cannot be read: {e}")))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(fail(format!("is larger than {FILE_BYTES_MAX} bytes")));
    }
    Ok(Some((name, text)))
}

type Found = Vec<(&'static Key, String, Provenance)>;

/// Collects the values under a mapping.
fn walk(
    node: &Node,
    prefix: &str,
    file: &str,
    found: &mut Found,
    problems: &mut Vec<SettingsProblem>,
) {
    let problem = |node: &Node, message: String, help: String| {
        SettingsProblem::new(Provenance::file(file, node.place), message, help)
    };
    let Value::Map { entries, .. } = &node.value else {
        if node.value == Value::Alias {
            let help = "write it out here".to_owned();
            problems.push(problem(node, "aliases are not followed in this file".to_owned(), help));
            return;
        }
        let what = if prefix.is_empty() { "the file" } else { prefix.trim_end_matches('.') };
        let help = format!("write keys under it: {}", children(prefix).join(", "));
        problems.push(problem(node, format!("{what} is not a mapping"), help));
        return;
    };
    let mut seen = Vec::new();
    for (key, value) in entries {
        let name = key.scalar().unwrap_or("(not a name)");
        let path = format!("{prefix}{name}");
        if seen.contains(&name) {
            let help = "remove one of the two".to_owned();
            problems.push(problem(key, format!("`{path}` is written twice"), help));
            continue;
        }
        seen.push(name);
        let group = format!("{path}.");
        if let Some(known) = KEYS.iter().find(|known| known.path == path) {
            match text(value, known) {
                Some(text) => {
                    found.push((known, text, Provenance::file(file, value.place)));
                }
                None if value.is_null() => {}
                None if value.value == Value::Alias => {
                    let message = "aliases are not followed in this file".to_owned();
                    problems.push(problem(value, message, "write the value out here".to_owned()));
                }
                None => {
                    let kind = if known.list { "a list of values" } else { "one value" };
                    let help = format!("{}; write {kind}", known.about);
                    problems.push(problem(value, format!("`{path}` is not {kind}"), help));
                }
            }
        } else if KEYS.iter().any(|known| known.path.starts_with(&group)) {
            if !value.is_null() {
                walk(value, &group, file, found, problems);
            }
        } else {
            let known = children(prefix);
            let help = match closest(name, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("the keys are: {}", known.join(", ")),
            };
            problems.push(problem(key, format!("there is no setting {}", quoted(&path)), help));
        }
    }
}

/// The text of a value as a flag would have it; lists joined by commas.
fn text(value: &Node, key: &Key) -> Option<String> {
    match &value.value {
        Value::Scalar { text, .. } if !value.is_null() => Some(text.clone()),
        Value::List(items) if key.list => {
            let texts: Option<Vec<String>> = items.iter().map(item).collect();
            Some(texts?.join(","))
        }
        _ => None,
    }
}

/// An item of a list; `{ name: value }` is another way to write `name:value`.
fn item(node: &Node) -> Option<String> {
    match &node.value {
        Value::Scalar { text, .. } => Some(text.clone()),
        Value::Map { entries, .. } => match &entries[..] {
            [(name, value)] => Some(format!("{}:{}", name.scalar()?, value.scalar()?)),
            _ => None,
        },
        _ => None,
    }
}

/// Names of the keys right under a prefix.
fn children(prefix: &str) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for key in KEYS {
        if let Some(rest) = key.path.strip_prefix(prefix) {
            let name = rest.split('.').next().unwrap_or(rest);
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// Collects `SUMUN_…`, named as the key or as the flag; the key's name wins. A name that is nearly
/// a setting's is a problem; any other is left alone, because orchestrators set names of this form
/// for their own ends (`SUMUN_SERVICE_HOST`).
fn environment(
    environment: &BTreeMap<String, String>,
    found: &mut Found,
    problems: &mut Vec<SettingsProblem>,
) {
    let as_flags = KEYS.iter().map(|key| (key.variable_of_flag(), key));
    let as_flags = as_flags.filter(|(name, key)| *name != key.variable());
    let as_keys = KEYS.iter().map(|key| (key.variable(), key));
    // Later ones win.
    let known: Vec<(String, &Key)> = as_flags.chain(as_keys).collect();
    for (name, key) in &known {
        if let Some(text) = environment.get(name).filter(|text| !text.is_empty()) {
            found.push((key, text.clone(), Provenance::Environment(name.clone())));
        }
    }
    for (name, text) in environment {
        if !name.starts_with("SUMUN_") {
            continue;
        }
        let is_known = name == CONFIG_VARIABLE || known.iter().any(|(known, _)| known == name);
        if is_known || text.is_empty() {
            continue;
        }
        if let Some(meant) = closest(name, known.iter().map(|(name, _)| name.as_str())) {
            problems.push(SettingsProblem::new(
                Provenance::Environment(name.clone()),
                format!("there is no setting {name}"),
                format!("did you mean {meant}?"),
            ));
        }
    }
}

/// The known name that is at most two edits away.
fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .filter(|(distance, known)| *distance <= 2 && *distance < known.len())
        .min()
        .map(|(_, known)| known)
}

/// Puts one value into the draft.
fn take(draft: &mut Draft, entry: &Entry) -> Result<(), SettingsProblem> {
    (entry.key.set)(draft, entry.text.trim()).map_err(|wrong| {
        // A message quotes the value, so one that came from a file of secrets gives neither.
        if entry.secret {
            let message = format!("the value of `{}` is not valid", entry.key.path);
            SettingsProblem::new(entry.place.clone(), message, entry.key.about)
        } else {
            let problem = SettingsProblem::new(entry.place.clone(), wrong.message, wrong.help);
            if PRIVATE.contains(&entry.key.path) { problem.private() } else { problem }
        }
    })
}

/// Checks what only makes sense together.
fn together(draft: &mut Draft, origins: &[Origin], problems: &mut Vec<SettingsProblem>) {
    let place = |path: &str| {
        let origin = origins.iter().find(|origin| origin.path == path);
        origin.map_or(Provenance::Default, |origin| origin.provenance.clone())
    };
    draft.settings.tls = match (draft.tls_cert.take(), draft.tls_key.take()) {
        (Some(cert), Some(key)) => {
            Some(TlsSettings { cert, key, client_ca: draft.tls_client_ca.take() })
        }
        (Some(_), None) => {
            let message = "`tls.cert` stands without `tls.key`";
            problems.push(SettingsProblem::new(place("tls.cert"), message, "name the key's file"));
            None
        }
        (None, Some(_)) => {
            let message = "`tls.key` stands without `tls.cert`";
            let help = "name the certificate's file";
            problems.push(SettingsProblem::new(place("tls.key"), message, help));
            None
        }
        (None, None) => {
            if draft.tls_client_ca.is_some() {
                let message = "`tls.client_ca` stands without `tls.cert` and `tls.key`";
                let help = "client certificates need TLS: name both files";
                problems.push(SettingsProblem::new(place("tls.client_ca"), message, help));
            }
            None
        }
    };
    let named = if draft.names_redis { CacheStore::Redis } else { CacheStore::Memory };
    draft.settings.cache.store = draft.cache_store.unwrap_or(named);
    if draft.settings.redis.ca.is_some() && !draft.settings.redis.address.tls {
        let message = "`redis.ca` stands without TLS";
        let help = "write `rediss://` in `redis.url`";
        problems.push(SettingsProblem::new(place("redis.ca"), message, help));
    }
    together_callers(&draft.settings, &place, problems);
    let (data, admin) = (draft.settings.listen, draft.settings.admin.listen);
    if data == admin && data.port() != 0 {
        let at =
            if place("admin.listen") == Provenance::Default { "listen" } else { "admin.listen" };
        problems.push(SettingsProblem::new(
            place(at),
            format!("`listen` and `admin.listen` are both {data}"),
            "give each its own port",
        ));
    }
}

/// Who can't be told by what is written, and files that nobody would read.
fn together_callers(
    settings: &Settings,
    place: &dyn Fn(&str) -> Provenance,
    problems: &mut Vec<SettingsProblem>,
) {
    let callers = &settings.callers;
    let nobody = callers.believe == Believe::TrustedProxies && settings.trusted_proxies.is_empty();
    if let Some(claim) = callers.by.iter().find(|source| nobody && callers.is_claim(source)) {
        let message = format!("`{claim}` is believed of `trusted_proxies`, and there is none");
        let help = match claim {
            CallerSource::Jwt(_) => "name the keys in `callers.jwt_keys`, ",
            CallerSource::ApiKey(_) => "name the known keys in `callers.api_keys`, ",
            _ => "",
        };
        let help = format!("{help}write `trusted_proxies`, or `callers.believe: anyone`");
        problems.push(SettingsProblem::new(place("callers.by"), message, help));
    }
    let reads = |wanted: fn(&CallerSource) -> bool| callers.by.iter().any(wanted);
    let jwt = reads(|source| matches!(source, CallerSource::Jwt(_)));
    let api_key = reads(|source| matches!(source, CallerSource::ApiKey(_)));
    for (path, unread, source) in [
        ("callers.jwt_keys", callers.jwt_keys.is_some() && !jwt, "jwt:CLAIM"),
        ("callers.api_keys", callers.api_keys.is_some() && !api_key, "api_key:HEADER"),
    ] {
        if unread {
            let message = format!("`{path}` stands without a source that needs it");
            let help = format!("add `{source}` to `callers.by`");
            problems.push(SettingsProblem::new(place(path), message, help));
        }
    }
}

#[cfg(test)]
mod tests;
