//! Makes a Setup.exe for Windows, on any system, through NSIS.

use super::machine::Machine;
use super::{Application, InstallerError, icon};
use crate::child;
use crate::pack::archive;
use notsotuf_stub::fs::{self, FsError};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Holds the script that is used if the project has none.
pub(crate) const SCRIPT: &str = include_str!("setup.nsi");

/// Names the program of NSIS, where it is not in PATH.
const VARIABLE: &str = "MAKENSIS";

pub(super) fn file_name(app: &Application) -> String {
    format!("{}-{}-setup.exe", app.name, app.version)
}

pub(super) fn make(
    app: &Application,
    machine: Machine,
    work: &Path,
) -> Result<PathBuf, InstallerError> {
    let script = match &app.settings.script {
        Some(script) => app.file("script", script)?,
        None => {
            let script = work.join("setup.nsi");
            fs::write_atomically(&script, SCRIPT.as_bytes())?;
            script
        }
    };
    let output = work.join(file_name(app));
    let (files, bytes) = commands(app)?;
    let file = work.join("files.nsh");
    fs::write_atomically(&file, files.as_bytes())?;
    let values = values(app, machine, bytes) + &paths(app, work)?;
    for line in values.lines().chain(files.lines()) {
        if line.contains("${") || line.contains("$%") {
            return Err(InstallerError::Text(line.into()));
        }
    }
    let path = work.join("values.nsh");
    fs::write_atomically(&path, values.as_bytes())?;
    run(&script, &path, &file)?;
    if let Some(signing) = &app.signing {
        signing.sign(&output)?;
    }
    Ok(output)
}

fn run(script: &Path, values: &Path, files: &Path) -> Result<(), InstallerError> {
    let program = std::env::var_os(VARIABLE).unwrap_or_else(|| "makensis".into());
    let mut command = child::command(program);
    command.args(["-V2", "-INPUTCHARSET", "UTF8"]);
    for (name, path) in [("VALUES", values), ("FILES", files)] {
        command.arg(format!("-D{name}={}", absolute(path).display()));
    }
    command.arg(absolute(script)).stdin(Stdio::null());
    // The same folder makes the same installer.
    command.env("SOURCE_DATE_EPOCH", archive::MTIME.to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let made = command.spawn().and_then(child::wait);
    let output = made.map_err(InstallerError::NoMakensis)?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let lines: Vec<_> = said.lines().filter(|line| !line.is_empty()).collect();
    let last = lines[lines.len().saturating_sub(12)..].join("\n");
    let script = script.into();
    Err(InstallerError::Makensis { script, said: last })
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

/// Writes the commands that unpack the folder, and counts its bytes.
fn commands(app: &Application) -> Result<(String, u64), InstallerError> {
    let mut commands = String::new();
    let mut bytes = 0;
    let mut folder = None;
    for item in archive::collect(app.folder)? {
        let name = item.name.replace('/', "\\");
        if item.kind.is_dir() {
            commands.push_str(&format!(
                "CreateDirectory \"$INSTDIR\\{}\"\n",
                escaped(&name)
            ));
            continue;
        }
        let (above, file) = name.rsplit_once('\\').unwrap_or(("", &name));
        if folder.as_deref() != Some(above) {
            let path = format!("$INSTDIR\\{}", escaped(above));
            let path = path.trim_end_matches('\\');
            commands.push_str(&format!("SetOutPath \"{path}\"\n"));
            folder = Some(above.to_owned());
        }
        let source = here(&item.path);
        commands.push_str(&format!("File \"/oname={}\" \"{source}\"\n", escaped(file)));
        bytes += item.kind.len();
    }
    Ok((commands, bytes))
}

/// Writes names and texts.
fn values(app: &Application, machine: Machine, bytes: u64) -> String {
    let mut values = String::new();
    let mut define = |name: &str, value: &str| {
        values.push_str(&format!("!define {name} \"{}\"\n", escaped(value)));
    };
    let settings = app.settings;
    define("APP", app.name);
    define("TITLE", app.title);
    define("TITLE_IN_CONTROLS", &app.title.replace('&', "&&"));
    let of_files = file_title(app.title, app.name);
    define("TITLE_OF_FILES", &of_files);
    define("FOLDER", &of_files);
    define("VERSION", &app.version.to_string());
    let mut numbers = app.version.release().to_vec();
    numbers.resize(4, 0);
    // Each has 16 bits there.
    let numbers: Vec<_> = numbers
        .iter()
        .map(|it| it.min(&0xffff).to_string())
        .collect();
    define("FOUR_NUMBERS", &numbers.join("."));
    define("PROGRAM", app.program);
    define(
        "PUBLISHER",
        settings.publisher.as_deref().unwrap_or(app.title),
    );
    if let Some(homepage) = &settings.homepage {
        define("HOMEPAGE", homepage);
    }
    if settings.desktop_shortcut {
        define("DESKTOP_SHORTCUT", "1");
    }
    if let Some(id) = app.app_user_model_id() {
        define("APP_USER_MODEL_ID", &id);
    }
    define("KILOBYTES", &bytes.div_ceil(1024).to_string());
    define("TARGET", machine.nsis());
    values
}

/// Writes where things are on this computer, and how the uninstaller is signed here.
fn paths(app: &Application, work: &Path) -> Result<String, InstallerError> {
    let mut paths = vec![
        ("SHIPPED", app.folder.to_owned()),
        ("OUTPUT", work.join(file_name(app))),
    ];
    let stub = app.folder.join(app.program);
    let program = std::fs::read(&stub).map_err(|e| FsError::new("read", &stub, e))?;
    if let Some(ico) = icon::of_program(&program) {
        let path = work.join("setup.ico");
        fs::write_atomically(&path, &ico)?;
        paths.push(("ICON", path));
    }
    let lines = paths.iter();
    let lines = lines.map(|(name, path)| format!("!define {name} \"{}\"\n", here(path)));
    let mut lines: String = lines.collect();
    if app.signing.is_some() {
        lines.push_str(&sign_uninstaller(app.project)?);
    }
    Ok(lines)
}

/// Has NSIS start this program once more, for the uninstaller: it is made within the
/// installer, so that nobody could sign it afterwards.
fn sign_uninstaller(project: &Path) -> Result<String, InstallerError> {
    let program = std::env::current_exe().map_err(InstallerError::ThisProgram)?;
    let words = [&program, Path::new("-C"), &absolute(project)];
    let [program, option, project] = words.map(|word| quoted(&word.to_string_lossy()));
    let command = format!("{program} {option} {project} sign-program").replace('`', "$\\`");
    Ok(format!("!uninstfinalize `{command} \"%1\"` = 0\n"))
}

/// Quotes a word of a command for the shell that NSIS gives it to.
fn quoted(word: &str) -> String {
    if cfg!(windows) {
        format!("\"{word}\"")
    } else {
        // Not with a backslash, which NSIS would take for one of a path.
        format!("'{}'", word.replace('\'', "'\"'\"'"))
    }
}

/// Writes a text so that NSIS takes it as it is.
fn escaped(text: &str) -> String {
    let one_line = text.replace(['\r', '\n'], " ");
    one_line
        .replace('$', "$$")
        .replace('"', "$\\\"")
        .replace('`', "$\\`")
}

/// Writes a path of this computer, in which a `$` stands for nothing else.
fn here(path: &Path) -> String {
    escaped(&absolute(path).to_string_lossy()).replace("$$", "$")
}

/// Makes a name of files for Windows of a title.
fn file_title(title: &str, name: &str) -> String {
    let refused = |letter: char| letter.is_control() || "<>:\"/\\|?*".contains(letter);
    let plain: String = title.chars().filter(|&letter| !refused(letter)).collect();
    let plain = plain.trim().trim_end_matches('.');
    if plain.is_empty() {
        name.into()
    } else {
        plain.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_mean_what_they_say() {
        assert_eq!(escaped("a $b \"c\"\nd"), "a $$b $\\\"c$\\\" d");
        assert_eq!(here(Path::new("/a $b\"c")), "/a $b$\\\"c");
        assert_eq!(file_title("Photo: Desk?", "app"), "Photo Desk");
        assert_eq!(file_title("***", "app"), "app");
        assert_eq!(file_title("Made by Me.", "app"), "Made by Me");
    }
}
