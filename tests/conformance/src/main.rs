//! The client under test of the TUF conformance suite
//! (<https://github.com/theupdateframework/tuf-conformance>, CLIENT-CLI.md),
//! over the stub's own code. Not shipped.

use clap::{Parser, Subcommand};
use notsotuf_stub::clock::now;
use notsotuf_stub::fs;
use notsotuf_stub::http::Http;
use notsotuf_stub::repository::{Repository, RepositoryUrls};
use notsotuf_stub::tuf::percent_encode;
use notsotuf_stub::tuf::{Refresh, TargetFile};
use std::error::Error;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// A TUF client, as the conformance suite drives it
#[derive(Parser)]
struct Cli {
    /// Folder of the trusted metadata
    #[arg(long)]
    metadata_dir: PathBuf,
    /// Where the repository's metadata is
    #[arg(long, default_value = "")]
    metadata_url: String,
    /// Path of a target to download; may be repeated
    #[arg(long = "target-name")]
    target_names: Vec<String>,
    /// Where the repository's targets are
    #[arg(long, default_value = "")]
    target_base_url: String,
    /// Folder for downloaded targets
    #[arg(long)]
    target_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Trust this root
    Init { root: PathBuf },
    /// Bring the trusted metadata up to date
    Refresh,
    /// Refresh, then download the targets
    Download,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), Box<dyn Error>> {
    let root = cli.metadata_dir.join("root.json");
    match &cli.command {
        Command::Init { root: from } => {
            fs::create_dir_all(&cli.metadata_dir)?;
            fs::write_atomically(&root, &std::fs::read(from)?)?;
        }
        Command::Refresh => {
            repository(cli, root).refresh(now())?;
        }
        Command::Download => {
            let repository = repository(cli, root);
            let mut refresh = repository.refresh(now())?;
            let folder = cli.target_dir.as_ref().ok_or("--target-dir is missing")?;
            for name in &cli.target_names {
                download(&repository, &mut refresh, name, folder)?;
            }
        }
    }
    Ok(())
}

fn repository(cli: &Cli, root: PathBuf) -> Repository {
    let place = RepositoryUrls {
        metadata_url: cli.metadata_url.clone(),
        targets_url: cli.target_base_url.clone(),
    };
    let http = Http::new(Duration::from_secs(30));
    Repository::new(cli.metadata_dir.clone(), root, vec![place], http)
}

fn download(
    repository: &Repository,
    refresh: &mut Refresh,
    name: &str,
    folder: &Path,
) -> Result<(), Box<dyn Error>> {
    let target = repository
        .find(refresh, name)?
        .ok_or_else(|| format!("there is no target {name:?}"))?;
    let place = folder.join(percent_encode(name));
    if is_current(name, &target, &place)? {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    let consistent = refresh.trusted().root().consistent_snapshot;
    let partial = folder.join(".partial");
    fs::remove_file_if_exists(&partial)?;
    let result = repository.download(name, &target, consistent, &partial, &mut |_| {});
    if let Err(e) = result {
        fs::remove_file_if_exists(&partial)?;
        return Err(e.into());
    }
    fs::rename_durably(&partial, &place)?;
    Ok(())
}

/// Whether the file is there with the listed length and hashes.
fn is_current(name: &str, target: &TargetFile, place: &Path) -> Result<bool, Box<dyn Error>> {
    if fs::inspect(place)?.is_none_or(|found| found.len() != target.length) {
        return Ok(false);
    }
    let mut hasher = target.hasher(name)?;
    let mut bytes = Vec::new();
    fs::open(place)?.read_to_end(&mut bytes)?;
    hasher.update(&bytes);
    Ok(hasher.finish(name).is_ok())
}
