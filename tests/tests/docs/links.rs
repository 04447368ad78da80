//! Every link of a document, and every path that a comment, a message or a
//! document names, leads to something.

use notsotuf_tests::root;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders that paths in text begin with. What is in them is named in full, or
/// relative to the file that names it.
const FOLDERS: [&str; 6] = [
    "docs/",
    "stub/src/",
    "bundler/src/",
    "tests/",
    "scripts/",
    "python/",
];

/// All files of the repository that are text, as paths from its root.
fn texts() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let path = folder.join(&name);
            let kind = entry.file_type().unwrap();
            // What is made, and what belongs to other projects.
            let foreign = ["target", ".git", ".work", ".venv", "__pycache__", "golden"];
            if kind.is_dir() && !foreign.contains(&&name[..]) {
                waiting.push(path);
            } else if kind.is_file()
                && !name.ends_with(".lock")
                && let Ok(text) = fs::read_to_string(entry.path())
            {
                found.push((path, text));
            }
        }
    }
    found
}

fn folder(file: &Path) -> PathBuf {
    root().join(file.parent().unwrap())
}

/// Paths that a line names, but for patterns and what has a variable in it.
fn paths(line: &str) -> Vec<&str> {
    let is_path = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    let mut found = Vec::new();
    let mut rest = 0;
    while let Some(start) = line[rest..].find(is_path).map(|n| rest + n) {
        let end = line[start..].find(|c| !is_path(c));
        rest = end.map_or(line.len(), |n| start + n);
        let is_pattern = line[rest..].starts_with(['*', '{', '?', '<', '$']);
        // Of a URL, or behind a variable.
        let before = line[..start].chars().next_back();
        let is_part = before.is_some_and(|c| "}:~$@".contains(c));
        let path = line[start..rest].trim_end_matches(['.', '-']);
        let named = |folder: &str| path.starts_with(folder) && path.len() > folder.len();
        if !is_pattern && !is_part && FOLDERS.into_iter().any(named) {
            found.push(path);
        }
    }
    found
}

#[test]
fn paths_in_lines_are_found() {
    for (line, expected) in [
        ("// see docs/how-to/undo.md.", &["docs/how-to/undo.md"][..]),
        ("`docs/a.md`, (scripts/b-c)", &["docs/a.md", "scripts/b-c"]),
        ("https://example.com/docs/a.md", &[]),
        ("my/docs/a.md, $root/docs/b.md, docs/", &[]),
        ("docs/*.md tests/golden/{n}/patch docs/a/*", &[]),
        ("docs/a/b.md", &["docs/a/b.md"]),
    ] {
        assert_eq!(paths(line), expected, "{line}");
    }
}

#[test]
fn every_path_that_text_names_is_there() {
    let (mut seen, mut missing) = (0, Vec::new());
    for (file, text) in texts() {
        // What it tries is not there.
        if file.ends_with("docs/links.rs") {
            continue;
        }
        for (number, line) in (1..).zip(text.lines()) {
            for path in paths(line) {
                seen += 1;
                if !root().join(path).exists() && !folder(&file).join(path).exists() {
                    missing.push(format!("{}:{number}: {path}", file.display()));
                }
            }
        }
    }
    assert!(seen > 200, "{seen}");
    assert!(missing.is_empty(), "{missing:#?}");
}

/// What a document shows as code, and the rest.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut code = false;
    let lines = (1..).zip(text.lines());
    lines.filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// The anchors of a document, as hosts of repositories make them of headings.
fn anchors(text: &str) -> Vec<String> {
    let headings = prose(text).filter_map(|(_, line)| line.strip_prefix('#'));
    let mut found: Vec<String> = Vec::new();
    for heading in headings {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
        let anchor: String = heading.chars().filter(kept).collect();
        let anchor = anchor.replace(' ', "-");
        let again = |n: &usize| match n {
            0 => anchor.clone(),
            n => format!("{anchor}-{n}"),
        };
        let free = (0..).map(|n| again(&n)).find(|name| !found.contains(name));
        found.extend(free);
    }
    found
}

/// Targets of the links in a line.
fn links(line: &str) -> Vec<&str> {
    let inline = line.split("](").skip(1);
    let inline = inline.filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    let defined = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]: "));
    inline.chain(defined.map(|(_, target)| target)).collect()
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let (mut seen, mut broken) = (0, Vec::new());
    let documents = texts().into_iter();
    for (file, text) in documents.filter(|(file, _)| file.extension().is_some_and(|e| e == "md")) {
        for (number, line) in prose(&text) {
            for link in links(line) {
                if link.contains("://") || link.starts_with("mailto:") {
                    continue;
                }
                seen += 1;
                let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
                let target = match path {
                    "" => root().join(&file),
                    path => folder(&file).join(path),
                };
                let there = target.exists()
                    && (anchor.is_empty()
                        || anchors(&fs::read_to_string(&target).unwrap())
                            .contains(&anchor.to_owned()));
                if !there {
                    broken.push(format!("{}:{number}: {link}", file.display()));
                }
            }
        }
    }
    assert!(seen > 50, "{seen}");
    assert!(broken.is_empty(), "{broken:#?}");
}

/// What must be found by the name of a folder or file, and where.
#[test]
fn the_index_of_the_architecture_answers_with_files_that_are_there() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (_, index) = text.split_once("## Where is the rule for").unwrap();
    let (index, _) = index.split_once("\n## ").unwrap();
    let rows = index.lines().filter_map(|line| line.strip_prefix("| "));
    let rows: Vec<(&str, &str)> = rows
        .filter_map(|row| row.strip_suffix(" |")?.split_once(" | "))
        .skip(1)
        .collect();
    for (question, answer) in &rows {
        let named = answer.split('`').skip(1).step_by(2);
        let mut before = PathBuf::new();
        let mut count = 0;
        for name in named {
            // A file is named in full, or beside the one before it.
            let beside = before.with_file_name(name);
            let path = if name.contains('/') {
                name.into()
            } else {
                beside
            };
            assert!(root().join(&path).exists(), "{question}: {path:?}");
            before = path;
            count += 1;
        }
        assert!(count > 0, "{question}: {answer}");
    }
    for asked in [
        "which release is chosen",
        "which patches, or the archive",
        "how long a start waits",
        "which files of users survive an update",
        "versions that failed here",
        "the stub's own update",
        "`verify`",
        "how a patch in tufup's form is made",
        "`add`",
        "progress and the time that is left",
        "hashing a file",
        "the current time",
        "what is in `custom` of a target",
        "the order of an upload",
    ] {
        let answers = rows.iter().filter(|(question, _)| *question == asked);
        assert_eq!(answers.count(), 1, "{asked}");
    }
}
