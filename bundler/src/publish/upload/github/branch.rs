//! Keeps metadata on a branch: all files of an upload appear in one commit, which
//! is there or not, and is refused if the branch has moved on.

use super::api::{Answer, Api, refused, text};
use super::error::GitHubError;
use crate::project::github::GitHubPlace;
use base64ct::{Base64, Encoding};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use ureq::http::Method;

/// Files of a commit: content, or `None` for one that goes, by path.
pub(super) type Changes = BTreeMap<String, Option<Vec<u8>>>;

/// Holds what the branch has.
#[derive(Debug, Clone, Default)]
pub(super) struct Branch {
    /// Its commit, and the tree of that; none if there is no branch.
    head: Option<(String, String)>,
    /// Metadata files by path: hash of the blob, and size.
    pub files: BTreeMap<String, (String, u64)>,
}

impl Branch {
    /// Reads what the branch has now.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub(super) fn load(api: &Api, place: &GitHubPlace) -> Result<Self, GitHubError> {
        let what = format!("read the branch {} of {place}", place.name);
        let Some(commit) = head(api, place, &what)? else {
            return Ok(Branch::default());
        };
        let found = found(
            api.get(&at(place, &format!("commits/{commit}")), &what)?,
            &what,
        )?;
        let tree = text(&found, "/tree/sha", &what)?;
        let mut branch = Branch {
            head: Some((commit, tree.clone())),
            files: BTreeMap::new(),
        };
        let entries = entries(api, place, &tree, &what)?;
        let folder = entries
            .iter()
            .find(|e| e["path"] == "metadata" && e["type"] == "tree");
        let Some(folder) = folder else {
            return Ok(branch);
        };
        for entry in self::entries(api, place, &text(folder, "/sha", &what)?, &what)? {
            if entry["type"] == "blob" {
                let path = format!("metadata/{}", text(&entry, "/path", &what)?);
                let size = entry["size"].as_u64().unwrap_or(0);
                branch
                    .files
                    .insert(path, (text(&entry, "/sha", &what)?, size));
            }
        }
        Ok(branch)
    }

    /// Reads the content of a blob.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub(super) fn blob(api: &Api, place: &GitHubPlace, sha: &str) -> Result<Vec<u8>, GitHubError> {
        let what = format!("read a file of the branch {} of {place}", place.name);
        let found = found(api.get(&at(place, &format!("blobs/{sha}")), &what)?, &what)?;
        let lines = text(&found, "/content", &what)?;
        let whole: String = lines.split_whitespace().collect();
        Base64::decode_vec(&whole).map_err(|e| GitHubError::Answer {
            what,
            reason: e.to_string(),
        })
    }

    /// Makes a commit of the changes on top of what was loaded, and leads the branch
    /// there; returns what the branch has then, or `None` if it has moved on.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub(super) fn commit(
        &self,
        api: &Api,
        place: &GitHubPlace,
        changes: &Changes,
    ) -> Result<Option<Self>, GitHubError> {
        let what = format!("commit metadata to the branch {} of {place}", place.name);
        let post = |path: &str, body: &Value| -> Result<String, GitHubError> {
            let answer = api.ask(Method::POST, &at(place, path), Some(body), &what)?;
            match answer.status {
                201 => text(&answer.body, "/sha", &what),
                _ => Err(refused(answer, &what)),
            }
        };
        let (mut entries, mut files) = (Vec::new(), self.files.clone());
        for (path, content) in changes {
            files.remove(path);
            let mut sha = Value::Null;
            if let Some(bytes) = content {
                let content = Base64::encode_string(bytes);
                let blob = json!({ "content": content, "encoding": "base64" });
                let blob = post("blobs", &blob)?;
                files.insert(path.clone(), (blob.clone(), bytes.len() as u64));
                sha = blob.into();
            }
            entries.push(json!({ "path": path, "mode": "100644", "type": "blob", "sha": sha }));
        }
        let mut tree = json!({ "tree": entries });
        if let Some((_, base)) = &self.head {
            tree["base_tree"] = base.as_str().into();
        }
        let parents: Vec<&str> = self
            .head
            .iter()
            .map(|(commit, _)| commit.as_str())
            .collect();
        let tree = post("trees", &tree)?;
        let commit = json!({ "message": message(changes), "tree": tree, "parents": parents });
        let commit = post("commits", &commit)?;
        let led = self.lead(api, place, &commit, &what)?;
        Ok(led.then_some(Branch {
            head: Some((commit, tree)),
            files,
        }))
    }

    /// Leads the branch to a commit, if it is where it was.
    fn lead(
        &self,
        api: &Api,
        place: &GitHubPlace,
        commit: &str,
        what: &str,
    ) -> Result<bool, GitHubError> {
        let name = &place.name;
        let answer = if self.head.is_some() {
            // Never backwards, and never over what somebody else has put there.
            let to = json!({ "sha": commit, "force": false });
            let path = at(place, &format!("refs/heads/{name}"));
            api.ask(Method::PATCH, &path, Some(&to), what)?
        } else {
            let to = json!({ "ref": format!("refs/heads/{name}"), "sha": commit });
            api.ask(Method::POST, &at(place, "refs"), Some(&to), what)?
        };
        if matches!(answer.status, 200 | 201) {
            return Ok(true);
        }
        // An answer that got lost, or another upload.
        let now = head(api, place, what)?;
        if now.as_deref() == Some(commit) {
            return Ok(true);
        }
        let before = self.head.as_ref().map(|(commit, _)| commit);
        if now.as_ref() != before {
            return Ok(false);
        }
        // A rule for branches, say.
        Err(refused(answer, what))
    }
}

/// The commit of the branch, if there is one.
fn head(api: &Api, place: &GitHubPlace, what: &str) -> Result<Option<String>, GitHubError> {
    let answer = api.get(&at(place, &format!("ref/heads/{}", place.name)), what)?;
    match answer.status {
        404 => Ok(None),
        409 => Err(GitHubError::Empty {
            place: place.to_string(),
        }),
        _ => Ok(Some(text(&found(answer, what)?, "/object/sha", what)?)),
    }
}

/// The files and folders of a tree.
fn entries(
    api: &Api,
    place: &GitHubPlace,
    tree: &str,
    what: &str,
) -> Result<Vec<Value>, GitHubError> {
    let found = found(api.get(&at(place, &format!("trees/{tree}")), what)?, what)?;
    match found["tree"].as_array() {
        Some(entries) if found["truncated"] != true => Ok(entries.clone()),
        _ => Err(GitHubError::Answer {
            what: what.into(),
            reason: "the list of files is not complete".into(),
        }),
    }
}

fn found(answer: Answer, what: &str) -> Result<Value, GitHubError> {
    match answer.status {
        200 => Ok(answer.body),
        _ => Err(refused(answer, what)),
    }
}

fn at(place: &GitHubPlace, path: &str) -> String {
    format!("/repos/{}/{}/git/{path}", place.owner, place.repository)
}

fn message(changes: &Changes) -> String {
    let timestamp = changes
        .get("metadata/timestamp.json")
        .and_then(Option::as_ref);
    let timestamp: Option<Value> = timestamp.and_then(|bytes| serde_json::from_slice(bytes).ok());
    match timestamp.and_then(|value| value.pointer("/signed/version")?.as_u64()) {
        Some(version) => format!("Publish metadata with timestamp {version}"),
        None => "Publish metadata".into(),
    }
}
