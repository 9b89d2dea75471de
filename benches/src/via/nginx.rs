//! nginx as the server behind both, and as Relink's peer.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result};
use relink_tests::{page, process};
use tokio::process::Child;

/// Of each answer, and of each record.
const SMALL_BYTES: usize = 1_000;
/// Of the list.
const RECORDS: usize = 100;

pub(super) struct Nginx {
    pub(super) base_url: String,
    folder: PathBuf,
    process: Child,
}

impl Nginx {
    /// Serves `/small` (1 kB of JSON), `/records` (a page of a list) and `/large`.
    pub(super) async fn upstream(folder: &Path, large_bytes: u64) -> Result<Self> {
        fs::create_dir_all(folder)?;
        fs::File::create(folder.join("large"))?.set_len(large_bytes)?;
        let padding = "x".repeat(SMALL_BYTES - r#"{"text":""}"#.len());
        let records = vec![format!(r#"{{"text":"{padding}"}}"#); RECORDS].join(",");
        fs::write(folder.join("records"), format!(r#"{{"results":[{records}],"paging":{{"next":"page-2"}}}}"#))?;
        let locations = format!(
            r#"
            location = /small {{ default_type application/json; return 200 '{{"text":"{padding}"}}'; }}
            location = /records {{ default_type application/json; root {folder}; }}
            location = /large {{ root {folder}; }}"#,
            folder = folder.display()
        );
        Self::start(folder, "", &locations).await
    }

    /// Forwards everything to that server, and what is below `/drain` to the other one.
    pub(super) async fn proxy(folder: &Path, upstream: &str, drain: &str) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let address = |url: &str| url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let upstreams = format!(
            "upstream server {{ server {}; keepalive 64; keepalive_requests 1000000000; }}
             upstream drain {{ server {}; keepalive 64; }}",
            address(upstream),
            address(drain)
        );
        // Both stream: what nginx keeps in files by default would be measured as the disk.
        let forward = r#"proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering off;
            proxy_max_temp_file_size 0; proxy_set_header Authorization "Bearer an-access-token-of-a-usual-length-0123456789";"#;
        let locations = format!(
            "location / {{ {forward} proxy_pass http://server; }}
             location /drain {{ {forward} proxy_pass http://drain; }}"
        );
        Self::start(folder, &upstreams, &locations).await
    }

    async fn start(folder: &Path, upstreams: &str, locations: &str) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let path = folder.display();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {path}/{name};"))
            .concat();
        let configuration = format!(
            "daemon off; worker_processes 1; pid {path}/pid; error_log {path}/errors error;
             events {{ worker_connections 1024; }}
             http {{
               access_log off; {temporary} client_max_body_size 0; keepalive_requests 1000000000; sendfile on; tcp_nopush on;
               {upstreams}
               server {{ listen 127.0.0.1:{port}; {locations} }}
             }}"
        );
        fs::write(folder.join("nginx.conf"), configuration)?;
        let mut command = process::command("/usr/sbin/nginx");
        command.arg("-p").arg(folder).args(["-e", "errors", "-c", "nginx.conf"]).stdout(Stdio::null());
        let nginx = process::spawn(command).context("nginx (of the Debian package nginx-light)")?;
        page::until(|| std::net::TcpStream::connect(("127.0.0.1", port)).ok()).await.context("nginx doesn't listen")?;
        Ok(Self { base_url: format!("http://127.0.0.1:{port}"), folder: folder.to_owned(), process: nginx })
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    pub(super) fn large_file(&self) -> PathBuf {
        self.folder.join("large")
    }
}
