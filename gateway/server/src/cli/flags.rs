//! Flags of the settings, made from the one table of settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};

use crate::settings::{CONFIG_VARIABLE, FILE_DEFAULT, KEYS, Written};

/// The flags of `run`, `demo` and `config`.
#[derive(Clone, Debug, Default)]
pub struct SettingsArgs {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// Values by key of the settings file (`limits.max_body`).
    pub flags: BTreeMap<&'static str, String>,
}

impl SettingsArgs {
    /// With the environment of this process. Variables that are no UTF-8 count as not set.
    pub fn written(&self) -> Written {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Written { config: self.config.clone(), flags: self.flags.clone(), environment }
    }
}

/// Settings that a newcomer needs; the others stand under their own heading.
const FIRST: [&str; 7] =
    ["to", "policies", "listen", "admin.listen", "state", "redis.url", "workers"];

impl Args for SettingsArgs {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help(format!(
                "Settings file [default: {FILE_DEFAULT}, where there is one] [env: {CONFIG_VARIABLE}]"
            ));
        let flags = KEYS.iter().map(|key| {
            let help = format!("{} [env: {}] [key: {}]", key.about, key.variable(), key.path);
            let arg = Arg::new(key.path).long(key.flag).value_name(key.value).help(help);
            let arg = if key.value == "BOOL" {
                arg.num_args(0..=1).require_equals(true).default_missing_value("true")
            } else {
                arg
            };
            if FIRST.contains(&key.path) { arg } else { arg.help_heading("Further settings") }
        });
        command.arg(config).args(flags)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingsArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = Self::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        if let Some(config) = matches.get_one::<PathBuf>("config") {
            self.config = Some(config.clone());
        }
        for key in KEYS {
            if let Some(value) = matches.get_one::<String>(key.path) {
                self.flags.insert(key.path, value.clone());
            }
        }
        Ok(())
    }
}
