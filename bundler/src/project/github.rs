//! Names a repository at GitHub that holds what is published, and where clients
//! find that.

use super::addresses::Addresses;
use std::fmt;

/// Begins a destination at GitHub.
pub(crate) const SCHEME: &str = "github:";

/// Names the branch and the release, unless the destination says otherwise.
const NAME: &str = "updates";

/// Says how a destination at GitHub is written.
pub(crate) const FORM: &str = "github:owner/repository";

/// Names a repository at GitHub, with a branch, which holds the metadata, and a
/// release, which holds the targets. Both have the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GitHubPlace {
    /// The user or organization.
    pub owner: String,
    /// The repository.
    pub repository: String,
    /// Of the branch, and of the release's tag.
    pub name: String,
}

impl GitHubPlace {
    /// Reads what follows `github:`; `None` if it names no repository.
    pub(crate) fn parse(rest: &str) -> Option<Self> {
        let mut parts = rest.split('/');
        let (owner, repository) = (parts.next()?, parts.next()?);
        let name = parts.next().unwrap_or(NAME);
        let repository = repository.strip_suffix(".git").unwrap_or(repository);
        let known = |part: &str, more: &str| {
            !part.is_empty()
                && !part.starts_with(['.', '-'])
                && !part.ends_with('.')
                && !part.contains("..")
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        let sound = known(owner, "-") && known(repository, "-_.") && known(name, "-_.");
        (sound && parts.next().is_none()).then(|| GitHubPlace {
            owner: owner.into(),
            repository: repository.into(),
            name: name.into(),
        })
    }

    /// Returns where clients fetch what is there.
    pub(crate) fn addresses(&self) -> Addresses {
        self.addresses_at(&server())
    }

    fn addresses_at(&self, server: &str) -> Addresses {
        let GitHubPlace {
            owner,
            repository,
            name,
        } = self;
        let raw = if server == SERVER {
            "https://raw.githubusercontent.com".into()
        } else {
            format!("{server}/raw")
        };
        Addresses {
            url: format!("{raw}/{owner}/{repository}/{name}"),
            targets_url: format!("{server}/{owner}/{repository}/releases/download/{name}"),
        }
    }
}

impl fmt::Display for GitHubPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.owner, self.repository)?;
        if self.name != NAME {
            write!(f, "/{}", self.name)?;
        }
        Ok(())
    }
}

const SERVER: &str = "https://github.com";

/// The web site, which another one than github.com tells the runners of its
/// workflows by this variable.
fn server() -> String {
    let told = std::env::var("GITHUB_SERVER_URL").ok();
    let told = told.filter(|url| !url.is_empty());
    told.map_or_else(|| SERVER.into(), |url| url.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_read_and_written() {
        for (text, shown) in [
            ("me/app", "github:me/app"),
            ("me/app.git", "github:me/app"),
            ("me/app/updates", "github:me/app"),
            ("My-Org/my.app_2/paint", "github:My-Org/my.app_2/paint"),
        ] {
            assert_eq!(GitHubPlace::parse(text).unwrap().to_string(), shown);
        }
        for text in [
            "",
            "me",
            "me/",
            "/app",
            "me/app/",
            "me/app/a/b",
            "//me/app",
            "me/..",
            "me/.git",
            "me/a b",
            "me/app?x",
            "m_e/app",
            "me/app/-d",
            "me/app/a..b",
            "me/app/a.",
            "me/größe",
        ] {
            assert_eq!(GitHubPlace::parse(text), None, "{text}");
        }
    }

    #[test]
    fn clients_fetch_metadata_from_the_branch_and_targets_from_the_release() {
        let place = GitHubPlace::parse("me/app").unwrap();
        let at = place.addresses_at(SERVER);
        assert_eq!(at.url, "https://raw.githubusercontent.com/me/app/updates");
        assert_eq!(
            at.targets_url,
            "https://github.com/me/app/releases/download/updates"
        );
        let at = place.addresses_at("https://git.example.com");
        assert_eq!(at.url, "https://git.example.com/raw/me/app/updates");
        assert_eq!(
            at.targets_url,
            "https://git.example.com/me/app/releases/download/updates"
        );
    }
}
