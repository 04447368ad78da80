//! Reads the files in which the tools of Amazon Web Services keep credentials
//! and settings
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>).

use crate::output::complain;
use configparser::ini::Ini;
use std::path::PathBuf;

/// Names a profile, and the files it is in.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// `AWS_PROFILE`, else `default`.
    pub profile: String,
    /// `~/.aws/credentials`, where sections have the profile's name.
    pub credentials: Option<PathBuf>,
    /// `~/.aws/config`, where they are called `profile NAME`.
    pub config: Option<PathBuf>,
}

/// What a profile is called by where it stands, and by `object_store`.
const KEYS: [(&str, &str); 5] = [
    ("aws_access_key_id", "AWS_ACCESS_KEY_ID"),
    ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"),
    ("aws_session_token", "AWS_SESSION_TOKEN"),
    ("region", "AWS_REGION"),
    ("endpoint_url", "AWS_ENDPOINT"),
];

impl Files {
    /// Returns the profile that the environment names.
    pub(super) fn of_user() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let home = std::env::home_dir();
        let place = |name: &str, file: &str| match variable(name) {
            Some(path) => Some(PathBuf::from(path)),
            None => Some(home.as_ref()?.join(".aws").join(file)),
        };
        Files {
            profile: variable("AWS_PROFILE").unwrap_or_else(|| "default".into()),
            credentials: place("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
            config: place("AWS_CONFIG_FILE", "config"),
        }
    }

    /// Returns options for `object_store`. Keys of `credentials` come before
    /// those of `config`. A file that is missing or malformed has none.
    pub(super) fn options(&self) -> Vec<(String, String)> {
        let in_config = match self.profile.as_str() {
            "default" => "default".to_owned(),
            name => format!("profile {name}"),
        };
        let sections = [
            (&self.config, in_config),
            (&self.credentials, self.profile.clone()),
        ];
        let mut options = Vec::new();
        for (file, section) in sections {
            let Some(file) = file.as_ref().filter(|file| file.is_file()) else {
                continue;
            };
            // Names of profiles may have capital letters.
            let mut read = Ini::new_cs();
            if let Err(e) = read.load(file) {
                complain(format!("warning: {}: {e}", file.display()));
            }
            for (key, option) in KEYS {
                if let Some(value) = read.get(&section, key) {
                    options.retain(|(known, _)| known != option);
                    options.push((option.to_owned(), value));
                }
            }
        }
        options
    }
}

/// Returns those options that go with what the environment says: with a key
/// there, none of a profile's.
pub(super) fn merge(
    profile: Vec<(String, String)>,
    environment: Vec<(String, String)>,
) -> Vec<(String, String)> {
    let secret = |name: &str| {
        [
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
        ]
        .contains(&name)
    };
    let has_key = environment
        .iter()
        .any(|(name, _)| name == "AWS_ACCESS_KEY_ID");
    let profile = profile
        .into_iter()
        .filter(|(name, _)| !(has_key && secret(name)))
        .filter(|(name, _)| !environment.iter().any(|(known, _)| known == name));
    let mut merged: Vec<_> = profile.collect();
    merged.extend(environment);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_read_and_the_environment_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            Some(path)
        };
        let mut files = Files {
            profile: "default".into(),
            credentials: write(
                "credentials",
                "[default]\naws_access_key_id = one\naws_secret_access_key = a/b+c=\n\n\
                 [ci]\naws_access_key_id=two\naws_secret_access_key=x\naws_session_token=t\n",
            ),
            config: write(
                "config",
                "[default]\nregion = eu-1\naws_access_key_id = other\n[profile ci]\nregion = us-1\n\
                 endpoint_url = https://s3.example\n",
            ),
        };
        let pairs = |list: &[(&str, &str)]| -> Vec<(String, String)> {
            list.iter()
                .map(|(a, b)| (a.to_string(), b.to_string()))
                .collect()
        };
        let default = files.options();
        let expected = [
            ("AWS_REGION", "eu-1"),
            ("AWS_ACCESS_KEY_ID", "one"),
            ("AWS_SECRET_ACCESS_KEY", "a/b+c="),
        ];
        assert_eq!(default, pairs(&expected));
        files.profile = "ci".into();
        let ci = files.options();
        assert!(ci.contains(&("AWS_ENDPOINT".into(), "https://s3.example".into())));
        // A key of the environment and a session of the profile do not go together.
        let environment = pairs(&[
            ("AWS_ACCESS_KEY_ID", "e"),
            ("AWS_REGION", "x"),
            ("HOME", "/"),
        ]);
        let merged = merge(ci.clone(), environment.clone());
        let mut expected = pairs(&[("AWS_ENDPOINT", "https://s3.example")]);
        expected.extend(environment);
        assert_eq!(merged, expected);
        assert_eq!(merge(ci.clone(), Vec::new()), ci);
        files.profile = "none".into();
        files.config = None;
        assert_eq!(files.options(), []);
    }
}
