//! What else a text of metrics holds, when it lacks what is wanted: names that look alike, and signs
//! of the server that wrote it.
//!
//! Bounds: [`NAMES_MAX`] names are looked at, [`ALIKE_MAX`] kept for each wanted one, each at most
//! [`NAME_BYTES_MAX`] long.

use super::text::Wanted;

/// Names looked at; a large Spring service has some three hundred.
const NAMES_MAX: usize = 4_096;

/// Names offered for each that is missing.
const ALIKE_MAX: usize = 3;

/// Longest name that is compared or offered; the distance costs length × length.
const NAME_BYTES_MAX: usize = 128;

/// How much alike two names must be, 0..=1.
const ALIKENESS_MIN: f64 = 0.5;

/// What was found in a text beside the wanted series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// For each missing name those that look alike, best first.
    pub alike: Vec<(String, Vec<String>)>,
    /// What wrote the text.
    pub server: Server,
}

/// What wrote a text, by the first words of its names. Each says more than those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Server {
    /// Nothing tells.
    #[default]
    Unknown,
    /// A JVM with no server that tells of itself, as Undertow and Netty.
    Jvm,
    /// Jetty with its threads.
    Jetty,
    /// Tomcat without its threads: Spring Boot tells of its sessions all the same.
    Tomcat,
    /// Tomcat with its threads: the mbean registry is on.
    TomcatThreads,
}

/// Looks at the names of one text.
#[derive(Debug)]
pub(super) struct Survey<'a> {
    wanted: Vec<Candidates<'a>>,
    last: Vec<u8>,
    names: usize,
    server: Server,
}

#[derive(Debug)]
struct Candidates<'a> {
    name: &'a str,
    found: bool,
    alike: Vec<(f64, String)>,
}

// === impl Survey ===

impl<'a> Survey<'a> {
    pub(super) fn new(wanted: &'a Wanted) -> Self {
        let candidates = |name| Candidates { name, found: false, alike: Vec::new() };
        Self {
            wanted: wanted.names().map(candidates).collect(),
            last: Vec::new(),
            names: 0,
            server: Server::default(),
        }
    }

    /// A sample of this name was seen.
    pub(super) fn note(&mut self, name: &[u8]) {
        // Samples of one family stand together.
        if name == self.last || self.names == NAMES_MAX || name.len() > NAME_BYTES_MAX {
            return;
        }
        name.clone_into(&mut self.last);
        self.names += 1;
        let Ok(name) = std::str::from_utf8(name) else { return };
        self.server = self.server.max(Server::of(name));
        for candidates in &mut self.wanted {
            candidates.note(name);
        }
    }

    pub(super) fn finish(self) -> Found {
        let missing = self.wanted.into_iter().filter(|wanted| !wanted.found);
        let alike = missing.map(|wanted| {
            let names = wanted.alike.into_iter().map(|(_, name)| name);
            (wanted.name.to_owned(), names.collect())
        });
        Found { alike: alike.collect(), server: self.server }
    }
}

// === impl Candidates ===

impl Candidates<'_> {
    fn note(&mut self, name: &str) {
        self.found |= name == self.name;
        if self.found || self.alike.iter().any(|(_, known)| known == name) {
            return;
        }
        let alikeness = alikeness(self.name, name);
        if alikeness < ALIKENESS_MIN {
            return;
        }
        let at = self.alike.partition_point(|(known, _)| *known >= alikeness);
        self.alike.insert(at, (alikeness, name.to_owned()));
        self.alike.truncate(ALIKE_MAX);
    }
}

/// By letters, for what was misspelt, or by words, for what another library calls by another name.
fn alikeness(a: &str, b: &str) -> f64 {
    let words = |name: &str| name.split('_').map(str::to_owned).collect::<Vec<_>>();
    let (of_a, of_b) = (words(a), words(b));
    let shared = of_a.iter().filter(|word| of_b.contains(word)).count();
    let by_words = 2.0 * shared as f64 / (of_a.len() + of_b.len()) as f64;
    strsim::normalized_damerau_levenshtein(a, b).max(by_words)
}

// === impl Server ===

impl Server {
    /// What one name is evidence of.
    fn of(name: &str) -> Self {
        const FIRST_WORDS: [(&str, Server); 4] = [
            ("tomcat_threads_", Server::TomcatThreads),
            ("tomcat_", Server::Tomcat),
            ("jetty_threads_", Server::Jetty),
            ("jvm_", Server::Jvm),
        ];
        let known = FIRST_WORDS.iter().find(|(first, _)| name.starts_with(first));
        known.map(|(_, server)| *server).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
