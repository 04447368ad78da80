//! What help says.

use super::add::parse_meta;
use super::*;
use clap::CommandFactory;
use std::path::Path;

/// A command and those below it, with their names as they are typed.
fn every_command(name: String, command: clap::Command) -> Vec<(String, clap::Command)> {
    let below = command.get_subcommands().filter(|c| c.get_name() != "help");
    let below: Vec<_> = below
        .flat_map(|c| every_command(format!("{name} {}", c.get_name()), c.clone()))
        .collect();
    [vec![(name, command)], below].concat()
}

fn commands() -> Vec<(String, clap::Command)> {
    let mut cli = Cli::command().term_width(100);
    cli.build();
    every_command("notsotuf".into(), cli)
}

/// What `notsotuf help` says, all of it. `UPDATE_DOCS=1` writes it.
#[test]
fn the_reference_of_commands_is_what_help_says() {
    let mut text = String::from(
        "# Commands of the bundler\n\nThis is what `notsotuf help COMMAND` prints, but for the options that every \
         command has:\nthey are shown [once](#notsotuf). A test writes this file:\n\
         `UPDATE_DOCS=1 cargo test -p notsotuf reference`.\n",
    );
    for (name, mut command) in commands() {
        if command.is_hide_set() {
            continue;
        }
        let help = command.render_long_help().to_string();
        let mut is_own = true;
        let own = help.lines().filter(|line| {
            // What every command has is shown once; what follows is not indented.
            if !line.is_empty() && !line.starts_with(' ') {
                is_own = name == "notsotuf" || !line.starts_with(GLOBAL);
            }
            is_own
        });
        let help: Vec<_> = own.map(str::trim_end).collect();
        text.push_str(&format!(
            "\n## `{name}`\n\n```text\n{}\n```\n",
            help.join("\n").trim()
        ));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/commands.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == text,
        "docs/reference/commands.md is out of date: run this test with UPDATE_DOCS=1"
    );
}

/// Words as a shell takes them apart, without what follows ` #` or a pipe.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, false);
    for c in line.chars() {
        match c {
            '\'' => {
                quote = !quote;
                word.get_or_insert_default();
            }
            ' ' if !quote => words.extend(word.take()),
            '#' | '>' | '|' if !quote && word.is_none() => break,
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn the_examples_of_help_are_commands() {
    let mut count = 0;
    for (name, command) in commands() {
        let after = command.get_after_help().map(ToString::to_string);
        for line in after.unwrap_or_default().lines() {
            let Some(at) = line.find("notsotuf ").filter(|_| line.starts_with("  ")) else {
                continue;
            };
            let example = words(&line[at..]);
            let parsed = Cli::try_parse_from(&example);
            assert!(parsed.is_ok(), "{name}: {line}: {}", parsed.unwrap_err());
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn meta_is_an_object_that_can_be_signed() {
    assert!(parse_meta(r#"{"notes": "x", "n": 1}"#).is_ok());
    for bad in ["[]", "{\"x\": 1.5}", "{\"a\":1,\"a\":2}", "{"] {
        assert!(parse_meta(bad).is_err(), "{bad}");
    }
}

/// Every option of every command, with the words of its own.
#[test]
fn every_option_and_argument_is_described() {
    let mut count = 0;
    for (name, command) in commands() {
        assert!(command.get_about().is_some(), "{name} is not described");
        let mut seen = std::collections::BTreeMap::new();
        for argument in command.get_arguments() {
            let id = argument.get_id();
            let help = argument.get_help().map(ToString::to_string);
            let help = help.filter(|help| help.len() > 5);
            let help = help.unwrap_or_else(|| panic!("{name}: {id} is not described"));
            if let Some(other) = seen.insert(help.clone(), id) {
                panic!("{name}: {id} and {other} are both described by {help:?}");
            }
            count += 1;
        }
    }
    assert!(count > 150, "{count}");
}

#[test]
fn options_of_every_command_come_after_its_own() {
    for (name, mut command) in commands() {
        if name == "notsotuf" || name.starts_with("notsotuf help") {
            continue;
        }
        let help = command.render_long_help().to_string();
        let general = help
            .find(GLOBAL)
            .unwrap_or_else(|| panic!("{name}: {help}"));
        let own = [
            "--project",
            "--json",
            "--key-dir",
            "--quiet",
            "--passphrase-file",
        ];
        for option in own {
            // In examples they may stand anywhere.
            let listed = help
                .find(&format!("{option} <"))
                .or_else(|| help.find(&format!("{option}\n")));
            assert!(listed.is_none_or(|at| at > general), "{name}: {option}");
        }
    }
}

/// The sources without their tests and comments, with strings on one line.
fn texts(folder: &Path, out: &mut Vec<(PathBuf, String)>) {
    for path in fs::list(folder).unwrap() {
        if path.is_dir() {
            texts(&path, out);
        } else if !path.ends_with("tests.rs")
            && path.extension().is_some_and(|ending| ending == "rs")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            // A string goes on in the next line.
            let mut whole = String::new();
            let mut goes_on = false;
            for line in text.lines() {
                let line = if goes_on { line.trim_start() } else { line };
                goes_on = line.ends_with('\\');
                whole.push_str(line.trim_end_matches('\\'));
                if !goes_on {
                    whole.push('\n');
                }
            }
            out.push((path, whole));
        }
    }
}

/// Whatever a message or a help text names in backticks is a command.
#[test]
fn the_commands_that_messages_name_are_commands() {
    let mut sources = Vec::new();
    texts(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut sources,
    );
    let commands: Vec<String> = commands().into_iter().map(|(name, _)| name).collect();
    let mut count = 0;
    for (path, text) in sources {
        for line in text.lines() {
            let quoted = line.split('`').skip(1).step_by(2);
            for command in quoted.filter(|code| code.starts_with("notsotuf ")) {
                count += 1;
                let command = command.trim_end_matches('…').trim();
                // One that is only mentioned.
                if commands.iter().any(|known| known == command) {
                    continue;
                }
                let words = words(command).into_iter().map(|word| match word.as_str() {
                    "VERSION" | "{version}" | "{part}" => "1.0".into(),
                    "{wanted}%" => "50%".into(),
                    "NUMBER" | "N" => "2".into(),
                    "{role}" | "ROLE" => "targets".into(),
                    _ => word,
                });
                let parsed = Cli::try_parse_from(words);
                let fine = match &parsed {
                    Ok(_) => true,
                    Err(e) => e.kind() == clap::error::ErrorKind::DisplayHelp,
                };
                assert!(fine, "{path:?}: {command}: {}", parsed.unwrap_err());
            }
        }
    }
    assert!(count > 25, "{count}");
}
