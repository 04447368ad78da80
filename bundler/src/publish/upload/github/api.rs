//! Asks GitHub's REST API, and keeps to its rules: who asks, what has moved, and
//! how often one may ask (<https://docs.github.com/rest/using-the-rest-api>).

use super::error::GitHubError;
use crate::child;
use notsotuf_stub::clock;
use serde_json::Value;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::header::{self, HeaderName, HeaderValue};
use ureq::http::{Method, Request, Response, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, SendBody};

/// Longer than this no connection may take, and no answer.
const CONNECT: Duration = Duration::from_secs(15);
const ANSWER: Duration = Duration::from_secs(120);

/// Slower than so many bytes a second no file is sent.
const SLOWEST: u64 = 10_000;

/// How long one answer may make us wait, and how many may.
const MOST_WAIT: Duration = Duration::from_secs(90);
const ATTEMPTS: u32 = 4;

/// The most that is read of an answer. A blob is longer than its file by a third.
const MAX_ANSWER: u64 = 100 << 20;

/// Variables with the token, in the order in which they count.
const TOKENS: [&str; 2] = [child::GITHUB_TOKEN, "GITHUB_TOKEN"];

/// Asks the API, with a token if there is one.
pub(super) struct Api {
    agent: Agent,
    base: String,
    /// As the header has it.
    authorization: Option<HeaderValue>,
}

/// Holds an answer that is JSON, or empty.
pub(super) struct Answer {
    pub status: u16,
    pub body: Value,
    /// Where the next page is.
    pub next: Option<String>,
}

/// Says where the content of a file is.
pub(crate) enum Content {
    /// There, for everybody who knows this.
    Elsewhere(String),
    /// Here.
    Body(Body),
}

impl Api {
    /// Reads the address and the token from the environment.
    ///
    /// # Errors
    /// [`GitHubError::Insecure`], [`GitHubError::Token`].
    pub(super) fn open() -> Result<Self, GitHubError> {
        let set = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        // Runners of workflows say by it which GitHub they belong to.
        let base = set("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".into());
        let base = base.trim_end_matches('/').to_owned();
        if !is_secure(&base) {
            return Err(GitHubError::Insecure(base));
        }
        let token = TOKENS.into_iter().find_map(|name| Some((name, set(name)?)));
        let authorization = match token {
            Some((name, token)) => {
                let value = HeaderValue::try_from(format!("Bearer {}", token.trim()));
                let mut value = value.map_err(|_| GitHubError::Token(name))?;
                // Nothing that shows headers shows it.
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        let provider = rustls::crypto::ring::default_provider();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(Arc::new(provider))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            // The token goes nowhere but to the API.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .user_agent(concat!("notsotuf/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Api {
            agent: config.into(),
            base,
            authorization,
        })
    }

    /// Returns whether there is a token.
    pub(super) fn has_token(&self) -> bool {
        self.authorization.is_some()
    }

    /// Asks for what is at `path`; `what` says in an error what that is for.
    ///
    /// # Errors
    /// [`GitHubError`]; a status is none.
    pub(super) fn get(&self, path: &str, what: &str) -> Result<Answer, GitHubError> {
        self.ask(Method::GET, path, None, what)
    }

    /// Sends a request, with JSON if there is any.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub(super) fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        what: &str,
    ) -> Result<Answer, GitHubError> {
        let url = self.url(path);
        let bytes = body.map(ToString::to_string);
        let mut send = || {
            let request = self.request(method.clone(), &url, JSON)?;
            match &bytes {
                Some(bytes) => self.agent.run(with_type(request, bytes.clone())),
                None => self.agent.run(empty(request)),
            }
        };
        let response = patiently(what, &mut send)?;
        self.answer(response, what)
    }

    /// Sends the file that `read` has to the server for files.
    ///
    /// # Errors
    /// As [`Api::get`]; it is not sent again.
    pub(super) fn send_file(
        &self,
        url: &str,
        length: u64,
        read: &mut dyn Read,
        what: &str,
    ) -> Result<Answer, GitHubError> {
        let mut send = || {
            let mut request = self.request(Method::POST, url, JSON)?;
            let headers = request.headers_mut();
            let kind = HeaderValue::from_static("application/octet-stream");
            headers.insert(header::CONTENT_TYPE, kind);
            headers.insert(header::CONTENT_LENGTH, length.into());
            let request = request.map(|()| SendBody::from_reader(read));
            let request = self.agent.configure_request(request);
            let time = CONNECT + Duration::from_secs(length / SLOWEST);
            self.agent
                .run(request.timeout_send_body(Some(time)).build())
        };
        let response = send().map_err(|e| unreachable_because(what, &e))?;
        if let Some(wait) = limit(&response) {
            return Err(GitHubError::Limited { wait });
        }
        self.answer(response, what)
    }

    /// Asks for the content of a file of a release.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub(super) fn content(&self, path: &str, what: &str) -> Result<Content, GitHubError> {
        let url = self.url(path);
        let mut send = || {
            self.agent
                .run(empty(self.request(Method::GET, &url, BYTES)?))
        };
        let response = patiently(what, &mut send)?;
        let location = response.headers().get(header::LOCATION);
        let location = location.and_then(|value| value.to_str().ok());
        match (response.status().as_u16(), location) {
            (200, _) => Ok(Content::Body(response.into_body())),
            (301 | 302 | 303 | 307 | 308, Some(to)) if self.is_as_secure(to) => {
                Ok(Content::Elsewhere(to.into()))
            }
            _ => Err(refused(self.answer(response, what)?, what)),
        }
    }

    /// Returns whether a URL that GitHub named may be used: the way is as safe as that
    /// to the API.
    pub(super) fn is_as_secure(&self, url: &str) -> bool {
        is_secure(url) || (!self.base.starts_with("https://") && url.starts_with("http://"))
    }

    fn url(&self, path: &str) -> String {
        if path.starts_with(&format!("{}/", self.base)) {
            path.into()
        } else {
            format!("{}{path}", self.base)
        }
    }

    fn request(
        &self,
        method: Method,
        url: &str,
        accept: &'static str,
    ) -> Result<Request<()>, ureq::Error> {
        let mut request = Request::builder().method(method).uri(url).body(())?;
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        headers.insert(VERSION.0, HeaderValue::from_static(VERSION.1));
        if let Some(value) = &self.authorization {
            headers.insert(header::AUTHORIZATION, value.clone());
        }
        Ok(request)
    }

    fn answer(&self, response: Response<Body>, what: &str) -> Result<Answer, GitHubError> {
        let status = response.status().as_u16();
        if matches!(status, 301 | 302 | 307 | 308) {
            return Err(GitHubError::Moved(what.into()));
        }
        let next = response.headers().get(header::LINK);
        let next = next.and_then(|value| next_page(value.to_str().ok()?));
        // The token is for the API alone.
        let next = next.filter(|url| url.starts_with(&format!("{}/", self.base)));
        let mut bytes = Vec::new();
        let mut body = response.into_body().into_reader().take(MAX_ANSWER);
        let read = body.read_to_end(&mut bytes);
        read.map_err(|e| GitHubError::Unreachable {
            what: what.into(),
            reason: e.to_string(),
        })?;
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Ok(Answer { status, body, next })
    }
}

const JSON: &str = "application/vnd.github+json";
const BYTES: &str = "application/octet-stream";
const VERSION: (HeaderName, &str) = (
    HeaderName::from_static("x-github-api-version"),
    "2022-11-28",
);

/// As an error: what it was asked for was not done.
pub(super) fn refused(answer: Answer, what: &str) -> GitHubError {
    let texts = answer.body["errors"].as_array().into_iter().flatten();
    let mut message = answer.body["message"]
        .as_str()
        .unwrap_or("no reason is given")
        .to_owned();
    for text in texts.filter_map(|e| e["message"].as_str().or_else(|| e["code"].as_str())) {
        message.push_str(&format!("; {text}"));
    }
    GitHubError::Refused {
        what: what.into(),
        status: answer.status,
        message,
    }
}

/// The text at `pointer` in an answer, which is always there.
pub(super) fn text(value: &Value, pointer: &str, what: &str) -> Result<String, GitHubError> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_owned).ok_or_else(|| GitHubError::Answer {
        what: what.into(),
        reason: format!("there is no {pointer}"),
    })
}

/// Sends a request that may be sent again: after the time that GitHub asks for,
/// or when it was not understood.
fn patiently(
    what: &str,
    send: &mut dyn FnMut() -> Result<Response<Body>, ureq::Error>,
) -> Result<Response<Body>, GitHubError> {
    for attempt in 1.. {
        let last = attempt == ATTEMPTS;
        let short = Duration::from_secs(1 << (attempt - 1).min(5));
        let wait = match send() {
            Ok(response) => match limit(&response) {
                Some(wait) if last || wait > MOST_WAIT => {
                    return Err(GitHubError::Limited { wait });
                }
                Some(wait) => wait,
                None if response.status().is_server_error() && !last => short,
                None => return Ok(response),
            },
            Err(e) if last || !is_passing(&e) => return Err(unreachable_because(what, &e)),
            Err(_) => short,
        };
        log::info!("waiting {} s for GitHub to {what}", wait.as_secs());
        std::thread::sleep(wait);
    }
    unreachable!("the last attempt returns")
}

/// Waits as long as GitHub wants, if an error says so, and that is not too long; returns
/// whether it did.
pub(super) fn wait_for(error: &GitHubError) -> bool {
    match error {
        GitHubError::Limited { wait } if *wait <= MOST_WAIT => {
            log::info!("waiting {} s for GitHub", wait.as_secs());
            std::thread::sleep(*wait);
            true
        }
        _ => false,
    }
}

/// Whether the same request may fare better.
fn is_passing(error: &ureq::Error) -> bool {
    use ureq::Error::{ConnectionFailed, HostNotFound, Io, Timeout};
    matches!(error, Io(_) | Timeout(_) | ConnectionFailed | HostNotFound)
}

fn unreachable_because(what: &str, error: &ureq::Error) -> GitHubError {
    GitHubError::Unreachable {
        what: what.into(),
        reason: error.to_string(),
    }
}

/// How long GitHub wants to be left alone, if this answer says so.
fn limit(response: &Response<Body>) -> Option<Duration> {
    let number = |name: &str| -> Option<u64> {
        response
            .headers()
            .get(name)?
            .to_str()
            .ok()?
            .trim()
            .parse()
            .ok()
    };
    if !matches!(response.status().as_u16(), 403 | 429) {
        return None;
    }
    if let Some(seconds) = number("retry-after") {
        return Some(Duration::from_secs(seconds));
    }
    if number("x-ratelimit-remaining") == Some(0) {
        let now = u64::try_from(clock::now()).unwrap_or(0);
        let reset = number("x-ratelimit-reset").unwrap_or(now + 60);
        return Some(Duration::from_secs(reset.saturating_sub(now).max(1)));
    }
    // It does not always say how long.
    (response.status().as_u16() == 429).then_some(Duration::from_secs(60))
}

/// The URL of the next page (RFC 8288).
fn next_page(header: &str) -> Option<String> {
    header.split(',').find_map(|link| {
        let (url, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.split(';').any(|p| p.trim() == "rel=\"next\"");
        is_next.then(|| url.to_owned())
    })
}

/// Whether nobody can listen on the way.
fn is_secure(url: &str) -> bool {
    // As it is read when it is used.
    let Ok(url) = url.parse::<Uri>() else {
        return false;
    };
    match url.scheme_str() {
        Some("https") => url.host().is_some(),
        Some("http") => ["127.0.0.1", "localhost", "[::1]"]
            .map(Some)
            .contains(&url.host()),
        _ => false,
    }
}

fn empty(request: Request<()>) -> Request<SendBody<'static>> {
    request.map(|()| SendBody::none())
}

fn with_type(mut request: Request<()>, body: String) -> Request<String> {
    let kind = HeaderValue::from_static("application/json");
    request.headers_mut().insert(header::CONTENT_TYPE, kind);
    request.map(|()| body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_the_one_that_is_called_so() {
        let header = "<https://x/y?page=1>; rel=\"prev\", <https://x/y?page=3>; rel=\"next\"";
        assert_eq!(next_page(header).as_deref(), Some("https://x/y?page=3"));
        assert_eq!(next_page("<https://x/y?page=1>; rel=\"last\""), None);
        assert_eq!(next_page("nonsense"), None);
    }

    #[test]
    fn a_token_goes_over_ways_that_nobody_listens_on() {
        for url in [
            "https://api.github.com",
            "http://127.0.0.1:8000",
            "http://localhost/x",
            "http://[::1]:80/",
        ] {
            assert!(is_secure(url), "{url}");
        }
        for url in [
            "http://api.github.com",
            "http://127.0.0.1.example.com",
            "http://localhost:x@example.com",
            "http://localhost:80@example.com/",
            "https://",
            "ftp://localhost",
            "",
        ] {
            assert!(!is_secure(url), "{url}");
        }
    }

    #[test]
    fn only_a_refusal_that_is_about_time_makes_us_wait() {
        let answer = |status: u16, headers: &[(&str, &str)]| {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(*name, *value);
            }
            limit(&response.body(Body::builder().data("")).unwrap())
        };
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(answer(403, &[("retry-after", "7")]), seconds(7));
        assert_eq!(answer(429, &[("retry-after", "7")]), seconds(7));
        assert_eq!(answer(429, &[]), seconds(60));
        assert_eq!(
            answer(
                403,
                &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1")]
            ),
            seconds(1)
        );
        assert_eq!(answer(403, &[("x-ratelimit-remaining", "12")]), None);
        assert_eq!(answer(403, &[]), None);
        assert_eq!(answer(200, &[("x-ratelimit-remaining", "0")]), None);
    }
}
