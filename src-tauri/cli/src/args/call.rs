//! The grammar of `relink call`.

use clap::Args;
use ureq::http::{HeaderName, HeaderValue, Method};

#[derive(Debug, Args)]
// Otherwise its group would have the same name as that of the command.
#[group(skip)]
pub(crate) struct Call {
    /// Account ID, its beginning, or the account's name.
    pub(crate) id: String,
    /// Path below the provider's base URL, with its query: `/user/repos?per_page=5`.
    #[arg(value_parser = path)]
    pub(crate) path: String,
    /// Method [default: GET, or POST with --data].
    #[arg(short = 'X', long, value_name = "METHOD")]
    method: Option<Method>,
    /// Body: the text itself, @FILE for a file's content, or @- for standard input. It is JSON unless --header says otherwise.
    #[arg(short = 'd', long, value_name = "DATA")]
    pub(crate) data: Option<String>,
    /// Header to send. May be repeated.
    #[arg(short = 'H', long, value_name = "NAME: VALUE", value_parser = header)]
    pub(crate) header: Vec<(HeaderName, HeaderValue)>,
    /// Also print the response's status and headers.
    #[arg(short = 'i', long)]
    pub(crate) include: bool,
    /// Follow the links to the next pages (Link: rel="next"). Pages that are JSON arrays are printed as one array.
    #[arg(long, conflicts_with_all = ["data", "include"])]
    pub(crate) paginate: bool,
}

impl Call {
    pub(crate) fn method(&self) -> Method {
        let default = if self.data.is_some() { Method::POST } else { Method::GET };
        self.method.clone().unwrap_or(default)
    }
}

/// The path, with a slash before it.
fn path(argument: &str) -> Result<String, String> {
    if argument.contains("://") {
        return Err(
            "it is a URL. Leave out what the integration's base URL has, and begin with the path after it".to_owned()
        );
    }
    if argument.contains('#') {
        return Err("it has a #, which isn't sent. Write %23 for the character itself".to_owned());
    }
    let path = if argument.starts_with('/') { argument.to_owned() } else { format!("/{argument}") };
    path.parse::<ureq::http::uri::PathAndQuery>()
        .map_err(|_| "it has a character that has to be percent-encoded, such as %20 for a space".to_owned())?;
    Ok(path)
}

fn header(argument: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = argument.split_once(':').ok_or("it has no colon after the name")?;
    let name = name.trim().parse().map_err(|_| "the name isn't one of a header".to_owned())?;
    let value = value.trim().parse().map_err(|_| "the value has a character that no header may have".to_owned())?;
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        call: Call,
    }

    fn parse(arguments: &[&str]) -> Result<Call, clap::Error> {
        Line::try_parse_from([&["call", "github"], arguments].concat()).map(|line| line.call)
    }

    #[test]
    fn the_method_is_post_if_there_is_a_body() {
        for (arguments, method) in [
            (&["/user"][..], Method::GET),
            (&["/user", "-d", "{}"], Method::POST),
            (&["/user", "-d", "{}", "-X", "PATCH"], Method::PATCH),
            (&["/user", "--method", "DELETE"], Method::DELETE),
        ] {
            assert_eq!(parse(arguments).expect("valid").method(), method, "{arguments:?}");
        }
    }

    #[test]
    fn a_path_begins_with_a_slash_and_is_no_url() {
        for (argument, expected) in [
            ("/user/repos?per_page=5", "/user/repos?per_page=5"),
            ("user", "/user"),
            ("", "/"),
            ("/a%20b?q=x%23y", "/a%20b?q=x%23y"),
        ] {
            assert_eq!(parse(&[argument]).expect("valid").path, expected);
        }
        for refused in ["https://api.github.com/user", "/a b", "/a#b", "/a\nb"] {
            assert!(parse(&[refused]).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_header_has_a_name_and_a_value() {
        let call = parse(&["/", "-H", "Accept: text/plain", "-H", "x-empty:"]).expect("valid");
        let headers: Vec<_> = call.header.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(headers, [("accept", &b"text/plain"[..]), ("x-empty", b"")]);
        for refused in ["Accept", "a b: c", "a: b\nc"] {
            assert!(parse(&["/", "-H", refused]).is_err(), "{refused}");
        }
    }
}
