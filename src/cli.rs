//! The command line.

pub mod demo;
pub mod init;
pub mod serve;
mod settings;

use std::path::PathBuf;

/// Runs the command line.
#[allow(missing_docs)]
pub fn main() -> std::process::ExitCode {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let args: Vec<String> = std::env::args().collect();
    let get = |name: &str| args.iter().position(|a| a == name).and_then(|i| args.get(i + 1)).cloned();
    let data =
        PathBuf::from(get("--data").or_else(|| std::env::var("MUSTER_DATA").ok()).unwrap_or("./muster-data".into()));
    let rt = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let r = rt.block_on(async {
        match args.iter().find(|a| ["demo", "init", "serve"].contains(&a.as_str())).map(String::as_str) {
            Some("demo") => demo::run(&mut std::io::stdout()).await,
            Some("serve") => serve::run(serve::Options::new(data)).await,
            Some("init") => {
                init::init(init::NewInstallation {
                    data_dir: data,
                    key_file: get("--key-file").map(Into::into),
                    url: get("--url").unwrap(),
                    device_url: get("--device-url"),
                    admin: get("--admin").unwrap(),
                    password: None,
                    database: None,
                    provider_id: get("--provider-id"),
                    listen: get("--listen"),
                    device_listen: get("--device-listen"),
                    organization: None,
                    tls: None,
                })
                .await
            }
            _ => Ok(()),
        }
    });
    if let Err(e) = r {
        eprintln!("{e:#}");
        return std::process::ExitCode::from(1);
    }
    std::process::ExitCode::SUCCESS
}
