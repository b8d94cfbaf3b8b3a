use clap::CommandFactory;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn what_is_promised_is_understood() {
    for line in [
        "muster demo",
        "muster init --data D --url https://mdm.example.test --admin a@example.test --password-stdin",
        "muster init --url https://x --device-url https://y --admin a --database postgres://z --provider-id P \
         --listen 0.0.0.0:443 --device-listen 0.0.0.0:8443 --organization O --tls-cert c.pem --tls-key k.pem",
        "muster serve --data D --key-file K",
        "muster check-config --data D",
        "muster routes --json",
        "muster user add a@example.test --name A --password-stdin",
        "muster user list",
        "muster user show a@example.test",
        "muster user password a@example.test",
        "muster user remove a@example.test",
        "muster user remove a@example.test --dry-run",
        "muster device list --json --state active",
        "muster device show LAPTOP-1",
        "muster device attempts --outcome failed",
        "muster device lock 019a3f00 --wait",
        "muster device unlock 019a3f00",
        "muster device retire 019a3f00 --yes",
        "muster device wipe 019a3f00 --variant keep-user-data --yes",
        "muster device reset-passcode 019a3f00 --method laps",
        "muster device reboot A B C --reason r --expires 2d",
        "muster device sync 019a3f00",
        "muster device rename LAPTOP-1 LAPTOP-2 --reason moved",
        "muster device tenant-lockdown 019a3f00 on",
        "muster device tenant-lockdown A B off --reason r",
        "muster device actions 019a3f00",
        "muster device alerts LAPTOP-1 --limit 5",
        "muster command run 019a3f00 file.xml",
        "muster command list",
        "muster command show 019a3f00",
        "muster command cancel 019a3f00",
        "muster action show 019a3f00",
        "muster action cancel 019a3f00",
        "muster action reveal 019a3f00",
        "muster csp search camera allow --limit 5",
        "muster csp show ./Vendor/MSFT/Firewall",
        "muster csp check commands.xml --build 10.0.22631.4037 --edition PROFESSIONAL",
        "muster csp check - --device LAPTOP-1 --json",
        "muster csp catalogue",
        "muster sim --devices 50 --profile win11 --rate 10 --duration 30 --faults drop-response=1%",
        "muster sim --devices 1000 --profile win11=80%,hololens2=20% --poll 15m --time-scale 60 --ramp 60s --seed s --verify",
        "muster sim --devices 1 --server https://x --ca-file c.pem --user a@x --password-stdin --tls 1.2 --resume --log l",
        "muster csp import ddf.zip --version 2026-08 --dry-run",
        "muster csp reset",
        "muster csp override list",
        "muster csp override set ./Vendor/MSFT/Firewall/* --allow --reason r --edition 0x30 --from-build 22621",
        "muster csp override set ./DevInfo/Man --values {} --reason r",
        "muster csp override withdraw 019a3f00",
        "muster session list LAPTOP-1",
        "muster session show 019a3f00 --raw",
        "muster session replay session.json --json",
        "muster upload list --device LAPTOP-1",
        "muster upload show 019a3f00",
        "muster upload download 019a3f00 --out logs.zip",
        "muster upload delete 019a3f00",
        "muster device collect-diagnostics LAPTOP-1",
        "muster device collect-diagnostics LAPTOP-1 --files a.log --files b.log --event-logs Application",
        "muster cert list",
        "muster cert revoke 0a0b --reason lost",
        "muster cert revoke 0a0b --dry-run",
        "muster cert ca",
        "muster token add script --role viewer --expires 90d",
        "muster token list",
        "muster token revoke 019a3f00",
        "muster events --after 019a --follow",
        "muster audit",
        "muster migrate-db --to postgres://db.example/muster --data d --json",
        "muster user change a@example.test --disable --role user --device-limit default",
        "muster device list --server https://x --token-file t --ca-file c",
    ] {
        if let Err(error) = parse(line) {
            panic!("{line}: {error}");
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for line in [
        "muster",
        "muster user",
        "muster nothing",
        "muster device lock",
        "muster device lock x --wait --dry-run",
        "muster user change a@example.test",
        "muster init --url https://x",
        "muster init --url https://x --admin a --tls-cert c.pem",
        "muster token add x",
        "muster upload download 019a3f00",
        "muster csp search",
        "muster csp override set ./DevInfo/Man --reason r",
        "muster csp override set ./DevInfo/Man --allow --refuse --reason r",
        "muster csp override set ./DevInfo/Man --allow",
        "muster migrate-db",
        "muster device tenant-lockdown on 019a3f00",
        "muster device tenant-lockdown 019a3f00",
        "muster init --url https://x --admin a --listen 443",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn errors_have_their_exit_codes() {
    let code = |error: anyhow::Error| format!("{:?}", complain(&error));
    assert_eq!(code(anyhow::anyhow!("x")), format!("{:?}", ExitCode::from(1)));
    assert_eq!(code(Usage("x".to_owned()).into()), format!("{:?}", ExitCode::from(2)));
    assert_eq!(code(InPart { done: 1, asked: 2 }.into()), format!("{:?}", ExitCode::from(4)));
    assert_eq!(code(io::Error::from(io::ErrorKind::BrokenPipe).into()), format!("{:?}", ExitCode::from(0)));
}
