//! Keeps private keys, and what is large, out of git.

use super::Project;
use super::places::resolved;
use notsotuf_stub::fs::{self, FsError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Names lines for a `.gitignore`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ignored {
    /// The file.
    pub file: PathBuf,
    /// Its lines, with comments.
    pub lines: String,
}

/// Returns what keeps private keys in `folder` out of git, `private` ones among
/// them: lines for the project's own `.gitignore` or, for a folder outside of
/// the project, for one in there. `None` if that is in no work tree of git.
pub(crate) fn of_keys(project: &Project, folder: &Path, private: &[&Path]) -> Option<Ignored> {
    let (root, folder) = (resolved(project.root()), resolved(folder));
    let mut lines =
        "# Private keys stay out of version control, encrypted or not; public ones may go in.\n"
            .to_owned();
    let below = folder.strip_prefix(&root).ok().and_then(pattern);
    if let Some(below) = below.as_ref().filter(|below| !below.is_empty()) {
        lines.push_str(&format!("{below}/*\n!{below}/*.pub\n"));
        let file = project.root().join(GITIGNORE);
        return Some(Ignored { file, lines });
    }
    if below.is_none() && !is_in_work_tree(&folder) {
        return None;
    }
    // Other files are in there, too: keys are told by their names.
    lines.push_str("/*.pem\n");
    let names = private.iter().filter(|path| {
        let place = path.parent().map(resolved);
        path.extension().is_none_or(|it| it != "pem") && place.as_ref() == Some(&folder)
    });
    for name in names.filter_map(|path| pattern(Path::new(path.file_name()?))) {
        lines.push_str(&format!("{name}\n"));
    }
    let folder = below.map_or(folder.as_path(), |_| project.root());
    let file = folder.join(GITIGNORE);
    Some(Ignored { file, lines })
}

/// Returns what keeps out of git what is not published yet, and what is large
/// and kept where it is published.
pub(crate) fn of_work(project: &Project) -> Ignored {
    Ignored {
        file: project.root().join(GITIGNORE),
        lines: format!("{UNPUBLISHED}{}", targets(project)),
    }
}

/// Writes to files that are there or not.
///
/// # Errors
/// The file system's.
pub(crate) fn write(all: Vec<Ignored>) -> Result<(), FsError> {
    for (file, text) in texts(all)? {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write_atomically(&file, text.as_bytes())?;
    }
    Ok(())
}

/// Returns the texts of those files that change, with what is in them already.
///
/// # Errors
/// The file system's.
pub(crate) fn texts(all: Vec<Ignored>) -> Result<Vec<(PathBuf, String)>, FsError> {
    let mut files: BTreeMap<PathBuf, String> = BTreeMap::new();
    for ignored in all {
        files
            .entry(ignored.file)
            .or_default()
            .push_str(&ignored.lines);
    }
    let mut texts = Vec::new();
    for (file, wanted) in files {
        let there = fs::read_optional(&file, MAX_GITIGNORE)?.unwrap_or_default();
        let there = String::from_utf8_lossy(&there);
        texts.extend(extended(&there, &wanted).map(|text| (file, text)));
    }
    Ok(texts)
}

/// The most that is read of a .gitignore, which people write.
const MAX_GITIGNORE: u64 = 1 << 20;

const UNPUBLISHED: &str = "# What is added and not published yet, and the lock.\n\
                                      /.notsotuf-pending/\n/.notsotuf-lock\n";

/// The lines of archives; none for a repository elsewhere.
fn targets(project: &Project) -> String {
    let (root, repository) = (resolved(project.root()), resolved(&project.repository()));
    let below = repository.strip_prefix(root).ok().and_then(pattern);
    below.map_or_else(String::new, |below| {
        format!(
            "# Archives and patches: large, and kept where they are published.\n{below}/targets/\n"
        )
    })
}

const GITIGNORE: &str = ".gitignore";

fn is_in_work_tree(folder: &Path) -> bool {
    // `.git` is a file in work trees beside the first one.
    folder.ancestors().any(|above| above.join(".git").exists())
}

/// A path below the folder of a `.gitignore` as git writes it; `None` for one
/// that it cannot write.
fn pattern(path: &Path) -> Option<String> {
    let mut out = String::new();
    for part in path.components() {
        out.push('/');
        for c in part.as_os_str().to_str()?.chars() {
            if c == '\n' || c == '\r' {
                return None;
            }
            if "*?[]\\!# ".contains(c) {
                out.push('\\');
            }
            out.push(c);
        }
    }
    Some(out)
}

/// `there` with the lines of `wanted` that it does not have; `None` if
/// it has them all.
fn extended(there: &str, wanted: &str) -> Option<String> {
    let known: Vec<&str> = there.lines().map(str::trim).collect();
    let missing: Vec<&str> = wanted
        .lines()
        .filter(|line| !known.contains(line))
        .collect();
    if missing.iter().all(|line| line.starts_with('#')) {
        return None;
    }
    let end = if there.is_empty() || there.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    Some(format!("{there}{end}{}\n", missing.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::settings::parse;

    fn project(root: &Path, keystore: &str, repository: &str) -> Project {
        let text = format!(
            "apps = ['a']\nkeystore = '{keystore}'\nrepository = '{repository}'\n[expires_days]\n\
             root = 1\ntargets = 1\nsnapshot = 1\ntimestamp = 1\n"
        );
        Project::with(root, parse(&text).unwrap())
    }

    fn keys(root: &Path, keystore: &str) -> Option<Ignored> {
        let project = project(root, keystore, "repository");
        let tufups = project.keystore().join("key of tufup");
        of_keys(&project, &project.keystore(), &[&tufups])
    }

    #[test]
    fn private_keys_are_ignored_however_their_folder_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("project");
        let absolute = root.join("k").to_str().unwrap().to_owned();
        for (keystore, line) in [
            ("my keys", "/my\\ keys/*"),
            ("./k", "/k/*"),
            ("x/../k", "/k/*"),
            ("../project/k", "/k/*"),
            (&absolute, "/k/*"),
        ] {
            let ignored = keys(&root, keystore).unwrap();
            assert_eq!(ignored.file, root.join(".gitignore"), "{keystore}");
            let lines = &ignored.lines;
            assert!(
                lines.contains(&format!("\n{line}\n!")),
                "{keystore}: {lines}"
            );
        }
        for keystore in [".", "./", "x/.."] {
            let ignored = keys(&root, keystore).unwrap();
            assert_eq!(ignored.file, root.join(".gitignore"), "{keystore}");
            let wanted = "\n/*.pem\n/key\\ of\\ tufup\n";
            assert!(ignored.lines.ends_with(wanted), "{}", ignored.lines);
        }
        // Outside: only where there is git.
        assert_eq!(keys(&root, "../keys"), None);
        std::fs::create_dir(folder.path().join(".git")).unwrap();
        let ignored = keys(&root, "../keys").unwrap();
        let outside = root.parent().unwrap().join("keys/.gitignore");
        assert_eq!(ignored.file, outside);
    }

    #[test]
    fn what_is_there_stays_and_nothing_comes_twice() {
        let folder = tempfile::tempdir().unwrap();
        let web = project(folder.path(), "keystore", "./web/repository");
        let lines = of_work(&web).lines;
        assert!(lines.contains("\n/web/repository/targets/\n"), "{lines}");
        let elsewhere = project(folder.path(), "keystore", "../repository");
        assert_eq!(of_work(&elsewhere).lines, UNPUBLISHED);
        let all = || {
            let keys = of_keys(&web, &web.keystore(), &[]).unwrap();
            vec![keys, of_work(&web)]
        };
        let file = folder.path().join(".gitignore");
        std::fs::write(&file, "dist/\n/keystore/*").unwrap();
        write(all()).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("dist/\n/keystore/*\n#"), "{text}");
        assert_eq!(text.matches("/keystore/*\n").count(), 1);
        assert_eq!(texts(all()).unwrap(), []);
    }
}
