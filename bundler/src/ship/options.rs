//! Describes a first-install folder to be made.

use pep440_rs::Version;
use std::path::Path;

/// Says what kind of installer is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum InstallerKind {
    /// That of these that is usual for the stub's system
    Usual,
    /// A Setup.exe, made by NSIS
    Setup,
    /// An archive for Linux with a script that installs for one user
    Tar,
    /// A package for Debian and its like, with updates off
    Deb,
}

/// Says what to ship.
#[derive(Debug, Clone)]
pub(crate) struct ShipOptions<'a> {
    /// Application.
    pub app: &'a str,
    /// Which release; `None`: the newest final one, else the newest.
    pub version: Option<Version>,
    /// The stub's binary.
    pub stub: &'a Path,
    /// The program to start, relative to the bundle.
    pub executable: Option<&'a str>,
    /// The stub's name; `None`: that of the program.
    pub name: Option<&'a str>,
    /// What users know the application as; `None`: its name.
    pub title: Option<&'a str>,
    /// Where the repository is published.
    pub url: Option<&'a str>,
    /// The new folder.
    pub output: &'a Path,
    /// Which installers are made of it.
    pub installers: &'a [InstallerKind],
}
