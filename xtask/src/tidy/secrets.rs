//! What must not be in a public tree: paths of somebody's machine, addresses of private hosts, addresses of people.

use super::{none, texts};

/// Everything that people write; recorded bytes and lock files have their own checks.
const WRITTEN: &[&str] = &[
    ".rs",
    ".md",
    ".toml",
    ".json",
    ".mjs",
    ".js",
    ".html",
    ".css",
    ".lua",
    ".yml",
    ".yaml",
    "test",
    "run",
    ".npmrc",
    ".gitignore",
];

fn written() -> Vec<(String, String)> {
    let mut texts = texts(WRITTEN);
    texts.retain(|(name, _)| {
        !name.ends_with("package-lock.json") && !name.starts_with("protocol/tests/golden/")
    });
    texts
}

/// Every line that this function has something to say about.
fn lines(texts: &[(String, String)], finding: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = texts
        .iter()
        .flat_map(|(name, text)| text.lines().enumerate().map(move |(at, line)| (name, at, line)));
    lines
        .filter(|(_, _, line)| finding(line))
        .map(|(name, at, line)| format!("{name}:{}: {}", at + 1, line.trim()))
        .collect()
}

#[test]
fn no_path_of_a_machine_is_in_the_tree() {
    let findings = lines(&written(), names_machine_path);
    none("paths that exist on one machine alone", &findings);
}

fn names_machine_path(line: &str) -> bool {
    // In halves, so that this line is no finding.
    ["work", "farm", "root", "tmp", "home"].iter().any(|folder| {
        let path = format!("/{folder}/");
        line.match_indices(&path).any(|(at, _)| {
            let own = !line[..at]
                .ends_with(|before: char| before.is_ascii_alphanumeric() || before == '.' || before == '_');
            // `/home/u/`, a stand-in for anybody's.
            let rest = &line[at + path.len()..];
            own && rest.starts_with(|next: char| next.is_ascii_lowercase())
                && !(*folder == "home" && rest.starts_with("u/"))
        })
    })
}

#[test]
fn no_private_host_is_in_the_tree() {
    let findings = lines(&written(), |line| {
        line.match_indices("://").any(|(at, _)| {
            let host: String = line[at + 3..]
                .chars()
                .take_while(|next| next.is_ascii_alphanumeric() || "-.".contains(*next))
                .collect();
            ["internal", "lan", "corp", "intra", "intranet"]
                .iter()
                .any(|end| host.ends_with(&format!(".{end}")))
        })
    });
    none("hosts that only one network knows", &findings);
}

#[test]
fn package_sources_are_the_public_defaults() {
    let mut findings = lines(&texts(&[".npmrc", "config.toml", "pip.conf"]), |line| {
        let key = line.split('=').next().unwrap_or_default().trim();
        ["registry", "index", "index-url", "replace-with", "_authToken", "proxy"]
            .iter()
            .any(|name| key.ends_with(name))
    });
    findings.extend(lines(&texts(&["package-lock.json"]), |line| line.contains("\"resolved\"")));
    findings.extend(lines(&texts(&["Cargo.lock"]), |line| {
        line.starts_with("source = ")
            && !line.contains("registry+https://github.com/rust-lang/crates.io-index")
    }));
    none("a package would be taken from elsewhere than the public registries", &findings);
}

#[test]
fn nobody_is_named_by_an_e_mail_address() {
    let findings = lines(&written(), |line| line.match_indices('@').any(|(at, _)| is_address(line, at)));
    none("e-mail addresses", &findings);
}

/// Whether the `@` at this place stands in an address of another domain than those for examples.
fn is_address(line: &str, at: usize) -> bool {
    let local = line[..at].ends_with(|before: char| before.is_ascii_alphanumeric());
    let domain: String = line[at + 1..]
        .chars()
        .take_while(|next| next.is_ascii_alphanumeric() || "-.".contains(*next))
        .collect();
    let domain = domain.trim_end_matches('.');
    let Some((name, top)) = domain.rsplit_once('.') else { return false };
    let is_domain = !name.is_empty() && top.len() >= 2 && top.chars().all(|next| next.is_ascii_lowercase());
    // Before the `@` of a URL stand a user and a password, which is another matter.
    let word = line[..at].rsplit([' ', '"', '\'', '`', '<', '(']).next().unwrap_or_default();
    local
        && !word.contains("://")
        && is_domain
        && !domain.ends_with("example.com")
        && !domain.ends_with("example.org")
}

#[test]
fn an_address_is_told_from_a_version() {
    for address in [concat!("write to a.b", "@mail.net now"), concat!("x", "@y.co.uk.")] {
        assert!(is_address(address, address.find('@').unwrap()), "{address}");
    }
    for other in ["react@19.3.1", "redis@1", "user@example.com", "an @media rule", "postgres://u:p@host/db"] {
        assert!(!is_address(other, other.find('@').unwrap()), "{other}");
    }
}
