//! Finds the proxy a request goes through, from the environment as curl reads
//! it, on Windows else from the system's settings.

use base64ct::{Base64, Encoding};
use std::net::IpAddr;
use ureq::http::Uri;

/// Describes a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proxy {
    /// Whether it is spoken to by TLS.
    pub tls: bool,
    /// Name or address, this without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Value of the header `Proxy-Authorization`.
    pub authorization: Option<String>,
}

/// Holds the proxies of this computer.
#[derive(Debug)]
pub(super) struct Proxies {
    http: Option<Result<Proxy, String>>,
    https: Option<Result<Proxy, String>>,
    exceptions: Vec<Exception>,
    #[cfg(windows)]
    system: Option<ureq::Proxy>,
}

impl Proxies {
    /// Reads the proxies that the environment, or on Windows the system, names.
    pub(super) fn of_this_computer() -> Self {
        let proxies = Self::named(&|name| std::env::var(name).ok());
        #[cfg(windows)]
        let proxies = Proxies {
            // It looks at the environment first, where nothing is.
            system: if proxies.http.is_none() && proxies.https.is_none() {
                ureq::Proxy::try_from_env()
            } else {
                None
            },
            ..proxies
        };
        proxies
    }

    fn named(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        // As with curl, one that is empty is none.
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let first = |names: &[&str]| {
            let mut names = names.iter();
            names.find_map(|name| Some(Proxy::parse(name, &set(name)?)))
        };
        // A web server sets HTTP_PROXY for the programs that it starts to
        // whatever the header Proxy of a request says (httpoxy).
        let http: &[_] = match set("REQUEST_METHOD") {
            Some(_) if cfg!(windows) => &[],
            Some(_) => &["http_proxy"],
            None => &["http_proxy", "HTTP_PROXY"],
        };
        let all = ["all_proxy", "ALL_PROXY"];
        let exceptions = set("no_proxy").or_else(|| set("NO_PROXY"));
        let exceptions = exceptions.unwrap_or_default();
        let exceptions = exceptions.split(|c: char| c == ',' || c.is_whitespace());
        Proxies {
            http: first(&[http, &all].concat()),
            https: first(&["https_proxy", "HTTPS_PROXY", all[0], all[1]]),
            exceptions: exceptions.filter_map(Exception::parse).collect(),
            #[cfg(windows)]
            system: None,
        }
    }

    /// Returns the proxy for a URL; `None` if the URL is to be asked directly.
    ///
    /// # Errors
    /// One is named that cannot be used; why, in words.
    pub(super) fn of(&self, uri: &Uri) -> Result<Option<Proxy>, String> {
        let https = uri.scheme_str() == Some("https");
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        #[cfg(windows)]
        if let Some(system) = self
            .system
            .as_ref()
            .filter(|system| !system.is_no_proxy(uri))
        {
            return Ok(Some(Proxy {
                tls: false,
                host: system.host().to_owned(),
                port: system.port(),
                authorization: basic(system.username(), system.password()),
            }));
        }
        let named = if https { &self.https } else { &self.http };
        match named {
            None => Ok(None),
            Some(_) if self.exceptions.iter().any(|e| e.is_for(host, port)) => Ok(None),
            Some(proxy) => proxy.clone().map(Some),
        }
    }
}

impl Proxy {
    /// `[scheme://][user[:password]@]host[:port][/]`, as `variable` has it.
    /// What is wrong with it is said without repeating it.
    fn parse(variable: &str, text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => {
                return Err(format!(
                    "the environment variable {variable} names a proxy of an unknown kind; only \
                     http:// and https:// can be used"
                ));
            }
        };
        let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (who, host) = match rest.rsplit_once('@') {
            Some((who, host)) => (Some(who), host),
            None => (None, rest),
        };
        let parts = host_and_port(host, if tls { 443 } else { 80 });
        let (host, port) = parts.filter(|(host, _)| !host.is_empty()).ok_or_else(|| {
            format!("the environment variable {variable} is not the address of a proxy")
        })?;
        let authorization = who.and_then(|who| {
            let (user, password) = who.split_once(':').unwrap_or((who, ""));
            basic(Some(&decode(user)), Some(&decode(password)))
        });
        Ok(Proxy {
            tls,
            host: host.to_owned(),
            port,
            authorization,
        })
    }

    /// Returns the address of the proxy, as it may be shown.
    pub(super) fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

fn basic(user: Option<&str>, password: Option<&str>) -> Option<String> {
    let pair = format!("{}:{}", user?, password.unwrap_or_default());
    Some(format!("Basic {}", Base64::encode_string(pair.as_bytes())))
}

/// Host without brackets, and port.
fn host_and_port(text: &str, default: u16) -> Option<(&str, u16)> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        // An address of IPv6 without brackets has no port.
        None if text.matches(':').count() > 1 => (text, ""),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    match rest.strip_prefix(':') {
        Some(port) => Some((host, port.parse().ok()?)),
        None if rest.is_empty() => Some((host, default)),
        None => None,
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte.filter(|_| first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One entry of `NO_PROXY`.
#[derive(Debug, PartialEq, Eq)]
enum Exception {
    All,
    /// The first so many bits of an address.
    Network(IpAddr, u32),
    /// A host and all below it; or all that begin so.
    Name {
        name: String,
        port: Option<u16>,
        begins: bool,
    },
    Address(IpAddr, Option<u16>),
}

impl Exception {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Exception::All);
        }
        if let Some((address, bits)) = text.split_once('/') {
            let address: IpAddr = bare(address).parse().ok()?;
            let bits = bits.parse().ok()?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            return (bits <= most).then_some(Exception::Network(address, bits));
        }
        let (host, port) = host_and_port(text, 0)?;
        let port = Some(port).filter(|&port| port != 0);
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(Exception::Address(address.to_canonical(), port));
        }
        let begins = host.ends_with('*');
        let name = host.trim_matches('*').trim_start_matches('.');
        let name = if begins {
            name
        } else {
            name.trim_end_matches('.')
        };
        let name = name.to_ascii_lowercase();
        (!name.is_empty()).then_some(Exception::Name { name, port, begins })
    }

    fn is_for(&self, host: &str, port: u16) -> bool {
        let at = |wanted: &Option<u16>| wanted.is_none_or(|wanted| wanted == port);
        let address = bare(host).parse::<IpAddr>().ok();
        let address = address.map(|address| address.to_canonical());
        match self {
            Exception::All => true,
            Exception::Address(wanted, port) => at(port) && address == Some(*wanted),
            Exception::Network(network, bits) => {
                address.is_some_and(|address| in_network(address, *network, *bits))
            }
            Exception::Name { name, port, begins } => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                let above = host.strip_suffix(name.as_str());
                at(port)
                    && match begins {
                        true => host.starts_with(name.as_str()),
                        false => above.is_some_and(|rest| {
                            rest.is_empty() || rest.ends_with('.') && address.is_none()
                        }),
                    }
            }
        }
    }
}

fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

fn in_network(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    let ((one, size), (other, same)) = (number(address), number(network));
    let differ = (one ^ other).checked_shr(128 - bits).unwrap_or(0);
    size == same && differ == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        Proxies::named(&|name| {
            let mut all = variables.iter();
            let found = all.find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn host_for(proxies: &Proxies, url: &str) -> Option<String> {
        let found = proxies.of(&url.parse().unwrap()).unwrap();
        found.map(|proxy| proxy.address())
    }

    #[test]
    fn the_variable_is_chosen_by_scheme() {
        let (http, https) = ("http://u.example/", "https://u.example/");
        let only = |name| proxies(&[(name, "http://p:1")]);
        let p = Some("p:1".to_owned());
        for (name, for_http, for_https) in [
            ("http_proxy", true, false),
            ("HTTP_PROXY", true, false),
            ("https_proxy", false, true),
            ("HTTPS_PROXY", false, true),
            ("all_proxy", true, true),
            ("ALL_PROXY", true, true),
            ("ftp_proxy", false, false),
        ] {
            let found = only(name);
            assert_eq!(
                host_for(&found, http),
                p.clone().filter(|_| for_http),
                "{name}"
            );
            assert_eq!(
                host_for(&found, https),
                p.clone().filter(|_| for_https),
                "{name}"
            );
        }
        let both = proxies(&[("HTTP_PROXY", "upper:1"), ("http_proxy", "lower:1")]);
        assert_eq!(host_for(&both, http), Some("lower:1".into()));
        let empty = proxies(&[("http_proxy", ""), ("HTTP_PROXY", ""), ("ALL_PROXY", "a")]);
        assert_eq!(host_for(&empty, http), Some("a:80".into()));
    }

    /// <https://httpoxy.org>: a request's header `Proxy` comes as HTTP_PROXY.
    #[cfg(not(windows))]
    #[test]
    fn a_web_server_s_http_proxy_is_not_believed() {
        let cgi = ("REQUEST_METHOD", "GET");
        let upper = proxies(&[cgi, ("HTTP_PROXY", "evil:1")]);
        assert_eq!(host_for(&upper, "http://u.example/"), None);
        let lower = proxies(&[cgi, ("http_proxy", "fine:1")]);
        assert_eq!(host_for(&lower, "http://u.example/"), Some("fine:1".into()));
    }

    #[test]
    fn a_proxy_is_an_address_with_or_without_a_scheme() {
        let parsed = |text| Proxy::parse("HTTP_PROXY", text).unwrap();
        for (text, tls, address) in [
            ("p", false, "p:80"),
            ("p:3128", false, "p:3128"),
            ("http://p:3128/", false, "p:3128"),
            ("HTTPS://p", true, "p:443"),
            ("http://[::1]:8", false, "[::1]:8"),
            (" http://p:1 ", false, "p:1"),
        ] {
            let proxy = parsed(text);
            assert_eq!(
                (proxy.tls, proxy.address()),
                (tls, address.to_owned()),
                "{text}"
            );
            assert_eq!(proxy.authorization, None);
        }
        // me:p@ß/w
        for text in [
            "http://me:p%40%C3%9F%2Fw@p:1",
            "me:p%40%c3%9f%2fw@p:1",
            "me:p@ß%2Fw@p:1",
        ] {
            let proxy = parsed(text);
            assert_eq!(proxy.address(), "p:1");
            let expected = "Basic bWU6cEDDny93";
            assert_eq!(proxy.authorization.as_deref(), Some(expected), "{text}");
        }
        for text in [
            "socks5://me:SECRET@p:1",
            "http://me:SECRET@",
            "http://me:SECRET@p:x",
            "http://",
        ] {
            let said = Proxy::parse("ALL_PROXY", text).unwrap_err();
            assert!(
                said.contains("ALL_PROXY") && !said.contains("SECRET"),
                "{said}"
            );
        }
    }

    #[test]
    fn hosts_of_no_proxy_are_reached_directly() {
        let direct = |list: &str, url: &str| {
            let proxies = proxies(&[("ALL_PROXY", "p:1"), ("NO_PROXY", list)]);
            host_for(&proxies, url).is_none()
        };
        for (list, url) in [
            ("*", "http://u.example/"),
            ("u.example", "http://u.example/"),
            ("a, U.Example ,b", "http://u.EXAMPLE:8/"),
            ("example", "http://u.example/"),
            (".example", "http://u.example/"),
            ("*.example", "http://u.example/"),
            ("u.example.", "http://u.example/"),
            ("u.example:8", "http://u.example:8/"),
            ("u.example:80", "http://u.example/"),
            ("u.example:443", "https://u.example/"),
            ("10.1.2.3", "http://10.1.2.3/"),
            ("10.1.2.3:8", "http://10.1.2.3:8/"),
            ("10.*", "http://10.1.2.3/"),
            ("10.0.0.0/8", "http://10.1.2.3/"),
            ("10.1.2.3/32", "http://10.1.2.3/"),
            ("0.0.0.0/0", "http://10.1.2.3/"),
            ("::1", "http://[::1]/"),
            ("[::1]:8", "http://[::1]:8/"),
            ("fd00::/8", "http://[fd12::3]/"),
            ("10.0.0.0/8", "http://[::ffff:10.1.2.3]/"),
        ] {
            assert!(direct(list, url), "{list} {url}");
        }
        for (list, url) in [
            ("", "http://u.example/"),
            ("other.example", "http://u.example/"),
            ("ample", "http://u.example/"),
            ("v.u.example", "http://u.example/"),
            ("u.example:8", "http://u.example/"),
            ("u.example:80", "https://u.example/"),
            ("2.3", "http://10.1.2.3/"),
            ("10.0.0.0/8", "http://11.1.2.3/"),
            ("10.1.2.4/31", "http://10.1.2.3/"),
            ("10.0.0.0/33", "http://10.0.0.0/"),
            ("10.0.0.0/8", "http://10.example/"),
            ("0.0.0.0/0", "http://[::1]/"),
            ("fd00::/8", "http://[fe00::3]/"),
            ("fd00::/8", "http://10.1.2.3/"),
            ("::1", "http://[::2]/"),
        ] {
            assert!(!direct(list, url), "{list} {url}");
        }
        let lower = proxies(&[("ALL_PROXY", "p"), ("no_proxy", "a"), ("NO_PROXY", "*")]);
        assert_eq!(host_for(&lower, "http://u.example/"), Some("p:80".into()));
    }
}
